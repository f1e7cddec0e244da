/**
 * What the unit tests take for granted of hostile resources: the API server does let them through. And the operator,
 * among two hundred of them, serves the one that is well.
 */

import { readFile } from 'node:fs/promises'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { connectorYaml, documents, secretYaml } from '../support/manifests.ts'
import { type Served, type Stage, startStage } from '../support/stage.ts'
import { annotations, hostileSpec, otherStatus } from '../unit/fixtures/hostile.ts'

const RESOURCES = 200
const path = '/apis/cloudapps.security/v1alpha1/namespaces/security/zendeskconnectors'

let stage: Stage
beforeAll(async () => {
  // Their statuses are written by nobody who knows what they mean.
  stage = await startStage({ name: 'hostile', judged: false })
})
afterAll(() => stage?.stop())

const hostile = fc.record({
  spec: hostileSpec,
  annotations,
  status: fc.option(otherStatus(false), { freq: 2, nil: undefined }),
})

test('the API server takes each of them, the operator reads each of them, and one that is well is Connected', async () => {
  const seed = Number(process.env.FUZZ_SEED ?? Date.now())
  const resources = fc.sample(hostile, { numRuns: RESOURCES, seed })
  const problems: string[] = []
  for (const [index, { spec, annotations, status }] of resources.entries()) {
    // Connectors of one account are tested in turn, and within its rate: that would take minutes.
    const ofItsOwn = { ...spec, endpoint: `h${index}.zendesk.com` }
    const metadata = { name: `h${index}`, namespace: 'security', annotations }
    const body = { apiVersion: 'cloudapps.security/v1alpha1', kind: 'ZendeskConnector', metadata, spec: ofItsOwn }
    try {
      await stage.cluster.api.request('POST', path, { body })
      if (status === undefined) continue
      const contentType = 'application/merge-patch+json'
      await stage.cluster.api.request('PATCH', `${path}/h${index}/status`, { body: { status }, contentType })
    } catch (error) {
      problems.push(String(error).slice(0, 1000))
    }
  }
  expect(problems, `seed ${seed}`).toEqual([])

  stage.simulator.account('well')
  await stage.apply(documents(secretYaml('well'), connectorYaml({ name: 'well' })))
  const operator = await stage.startOperator()
  await stage.until('well', ({ status }) => status?.sync?.lastRun?.result === 'Succeeded', { seconds: 60 })
  // All have been looked at: those that may be were tested, and the others say that they are suspended.
  const unseen = async () => {
    const { items } = await stage.cluster.api.request<{ items: Served[] }>('GET', path)
    return items.flatMap(({ metadata, spec, status }) => {
      const isSeen = spec.suspend ? status.observedGeneration === 1 : status.connectionTest?.testedSecrets !== undefined
      return isSeen ? [] : [metadata.name]
    })
  }
  await expect.poll(unseen, { timeout: 60_000, message: `seed ${seed}` }).toEqual([])
  expect(operator.process.exitCode).toBeNull()

  const obeyed = /(?!\n)[\p{Cc}\p{Bidi_C}]/u
  const printed = [
    await stage.cluster.kubectl('get', 'zdc', '-A', '-o', 'jsonpath={.items[*].status}'),
    await stage.cluster.kubectl('get', 'zdc', '-A', '-o', 'wide'),
    await stage.cluster.kubectl('get', 'events', '-A'),
    await readFile(stage.operatorLog, 'utf8'),
  ]
  expect(printed.map((text) => obeyed.exec(text)).filter((one) => one !== null)).toEqual([])
  expect(printed.at(-1)).not.toContain('zendeskconnectors:')
}, 240_000)
