/**
 * Whatever is changed, and whenever, is acted on: the operator as it leads, over a Kubernetes in memory and in virtual
 * time, with changes that come before, within and after a test and a write, and close upon each other.
 */
import { Writable } from 'node:stream'
import fc from 'fast-check'
import { expect, test, vi } from 'vitest'
import { createLogger } from '../../src/logger.ts'
import { createMemoryCluster, type MemoryCluster } from './fixtures/memory-cluster.ts'
import { startOperator } from './fixtures/operator.ts'
import { inVirtualTime } from './fixtures/virtual-time.ts'

inVirtualTime()

const KINDS = ['test', 'change', 'rotate'] as const
const change = fc.record({
  kind: fc.constantFrom(...KINDS),
  /** Milliseconds since the change before it. */
  after: fc.oneof(fc.integer({ min: 0, max: 1200 }), fc.integer({ min: 0, max: 60_000 })),
})

/** Makes one change, and returns what the status must come to say. */
function make(cluster: MemoryCluster, kind: (typeof KINDS)[number], number: number): object {
  const [connector] = cluster.objects('zendeskconnectors') as unknown as [Found]
  const { resourceVersion: _, ...metadata } = connector.metadata
  if (kind === 'rotate') {
    const data = { clientId: 'aWQ=', clientSecret: Buffer.from(`secret-${number}`).toString('base64') }
    cluster.put('secrets', { metadata: { namespace: 'a', name: 'creds' }, data })
    const resourceVersion = cluster.objects('secrets')[0]?.metadata.resourceVersion
    return { connectionTest: { testedSecrets: [expect.objectContaining({ resourceVersion })] } }
  }
  if (kind === 'test') {
    const annotations = { 'cloudapps.security/test-requested-at': String(number) }
    cluster.put('zendeskconnectors', { ...connector, metadata: { ...metadata, annotations } })
    return { lastHandledTestRequest: String(number) }
  }
  const generation = metadata.generation + 1
  const spec = { ...connector.spec, rateLimit: { requestsPerMinute: 100 + number } }
  cluster.put('zendeskconnectors', { ...connector, spec, metadata: { ...metadata, generation } })
  return { connectionTest: { testedGeneration: generation } }
}

type Found = { metadata: { generation: number; resourceVersion: string }; spec: object; status?: object }

test('whatever is changed, and whenever, is acted on within a minute and a test', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(change, { minLength: 1, maxLength: 6 }),
      fc.integer({ min: 0, max: 900 }),
      async (changes, testMs) => {
        const cluster = createMemoryCluster()
        cluster.put('secrets', {
          metadata: { namespace: 'a', name: 'creds' },
          data: { clientId: 'aWQ=', clientSecret: 'eA==' },
        })
        cluster.put('zendeskconnectors', {
          metadata: { namespace: 'a', name: 'acme', uid: 'u', generation: 1 },
          spec: { endpoint: 'acme.zendesk.com', secretRef: { name: 'creds' }, sync: { sink: { stdout: {} } } },
        })
        const stop = new AbortController()
        const { signal } = stop
        const wrong: string[] = []
        const write = (line: unknown, _: string, done: () => void) => {
          wrong.push(String(line))
          done()
        }
        const log = createLogger('warn', new Writable({ write }))
        // Timers come early, and no two looks at a clock show the same time.
        let lookedMs = 0
        const [began, here] = [Date.now(), performance.now()]
        const passed = () => {
          lookedMs += 0.3
          return (performance.now() - here) * 0.99 + lookedMs
        }
        const clock = { now: () => new Date(began + passed()), monotonic: () => here + passed() }
        const operator = await startOperator(cluster, {
          zendesk: {
            test: async () => {
              await new Promise((resolve) => setTimeout(resolve, testMs))
              return { checks: [{ name: 'Token', result: 'Passed' }], account: {}, spent: [{ requests: 3 }], codes: {} }
            },
            fullySpent: () => [],
            withSkipped: (checks) => [...checks],
          },
          clock,
          log,
          mostRuns: 50,
          onMalformed: (key, message) => wrong.push(`${key}: ${message}`),
          onLook: () => {},
          signal,
        })
        const expected: object[] = []
        await vi.advanceTimersByTimeAsync(2_000)
        for (const [index, { kind, after }] of changes.entries()) {
          await vi.advanceTimersByTimeAsync(after)
          expected.push(make(cluster, kind, index + 1))
        }
        await vi.advanceTimersByTimeAsync(64_000)
        const [connector] = cluster.objects('zendeskconnectors')
        const last = (kind: string) => expected[changes.findLastIndex((one) => one.kind === kind)]
        for (const kind of KINDS)
          if (last(kind) !== undefined) expect(connector?.status).toMatchObject(last(kind) ?? {})
        stop.abort()
        await vi.advanceTimersByTimeAsync(1)
        await operator.ended
        expect(wrong).toEqual([])
      },
    ),
    { numRuns: 300 },
  )
}, 120_000)
