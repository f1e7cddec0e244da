/** The operator killed with -9, again and again, around runs. */
import { readFile } from 'node:fs/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { requestsOf } from '../support/audit.ts'
import { claimYaml, connectorYaml, documents, secretYaml } from '../support/manifests.ts'
import { type Served, type Stage, startStage } from '../support/stage.ts'

const KILLS = 20

type Job = { metadata: { name: string }; status: { conditions?: { type: string }[] } }

let stage: Stage
beforeAll(async () => {
  stage = await startStage({ name: 'killed' })
})
afterAll(() => stage?.stop())

/** How many operators have seen all that there is. */
const readies = async () => (await readFile(stage.operatorLog, 'utf8')).split('"operator ready"').length - 1

test('killed at twenty random moments around a run: no second Job for a slot, and the status is right again 5 s after the next is ready', async () => {
  const account = stage.simulator.account('mortal')
  const spec = { sync: { interval: '168h', streams: ['AuditLogs'], sink: { file: { claimName: 'mortal-data' } } } }
  await stage.apply(documents(claimYaml('mortal-data'), secretYaml('mortal'), connectorYaml({ name: 'mortal', spec })))
  let operator = await stage.startOperator()
  const delays: number[] = []
  let slowest = 0
  for (let kill = 1; kill <= KILLS; kill += 1) {
    const request = `cloudapps.security/sync-requested-at=${kill}`
    await stage.cluster.kubectl('annotate', 'zdc', 'mortal', '-n', 'security', '--overwrite', request)
    // Early moments more often: that is when Job and status are written.
    const delay = Math.random() ** 2 * 2500
    delays.push(Math.round(delay))
    await new Promise((resolve) => setTimeout(resolve, delay))
    await operator.stop('SIGKILL')
    const before = await readies()
    operator = await stage.startOperator()
    await expect.poll(readies, { timeout: 20_000, interval: 20 }).toBe(before + 1)
    const begin = performance.now()
    const jobs = async () =>
      (await stage.cluster.api.request<{ items: Job[] }>('GET', '/apis/batch/v1/namespaces/security/jobs')).items
    /** Right: connected, the request taken up, and a run shown as under way exactly while its Job has not ended. */
    const right = async ({ status }: Served): Promise<boolean> => {
      const underWay = (await jobs()).filter(
        (job) => !(job.status.conditions ?? []).some(({ type }) => type === 'Complete' || type === 'Failed'),
      )
      const shown = status?.sync?.activeRun === undefined ? [] : [status.sync.activeRun.job]
      const names = underWay.map((job) => job.metadata.name)
      return (
        status?.connection === 'Connected' && status.lastHandledSyncRequest === `${kill}` && `${names}` === `${shown}`
      )
    }
    await expect
      .poll(async () => right(await stage.get('mortal')), {
        timeout: 20_000,
        interval: 40,
        message: `delays ${delays}`,
      })
      .toBe(true)
    slowest = Math.max(slowest, performance.now() - begin)
    await stage.until('mortal', ({ status }) => status.sync.activeRun === undefined, { seconds: 60 })
  }
  expect(slowest, `delays ${delays}`).toBeLessThan(5000)

  const created = (await requestsOf(stage.cluster.auditLog, stage.operatorUser)).filter(
    ({ what, code }) => what === 'create jobs' && code === 201,
  )
  const { status } = await stage.get('mortal')
  expect(created.length, `delays ${delays}`).toBe(status.sync.lastSlot)
  expect(created.length).toBe(KILLS)
  expect(status.sync.lastRun).toMatchObject({ result: 'Succeeded' })
  const records = await stage.records('mortal-data', 'mortal', 'AuditLogs')
  expect(new Set(records.map((record) => record.metadata.uid)).size).toBe(records.length)
  expect(account.ledger.maxInAnyWindow(60_000)).toBeLessThanOrEqual(200)
}, 280_000)
