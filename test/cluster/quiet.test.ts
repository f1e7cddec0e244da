/** What the operator costs the API server, from the API server's own audit log. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { requestsOf } from '../support/audit.ts'
import { connectorYaml, documents, secretYaml } from '../support/manifests.ts'
import { type Stage, startStage } from '../support/stage.ts'

let stage: Stage
beforeAll(async () => {
  stage = await startStage({ name: 'quiet' })
  await stage.startOperator()
})
afterAll(() => stage?.stop())

test('between due times there are watches and nothing else; a routine test costs one Secret read and one status patch', async () => {
  stage.simulator.account('calm')
  const spec = { connectionTest: { interval: '1m' }, sync: { interval: '168h', sink: { stdout: {} } } }
  await stage.apply(documents(secretYaml('calm'), connectorYaml({ name: 'calm', spec })))
  const rested = await stage.until('calm', ({ status }) => status?.sync?.lastRun !== undefined, { seconds: 60 })
  const sinceRest = async () => {
    const restedAt = Date.parse(rested.status.sync.lastRun.endTime) + 1000
    const all = await requestsOf(stage.cluster.auditLog, stage.operatorUser)
    return all.filter(({ at }) => at.getTime() > restedAt && Date.now() > restedAt)
  }
  // The Event that tells of the run's end is the last thing that the run costs.
  await expect
    .poll(
      async () =>
        (await requestsOf(stage.cluster.auditLog, stage.operatorUser)).filter(({ what }) => what === 'create events')
          .length,
    )
    .toBe(3)

  const tested = await stage.until(
    'calm',
    ({ status }) => status.connectionTest.lastTime !== rested.status.connectionTest.lastTime,
    { seconds: 90 },
  )
  expect(tested.status.connection).toBe('Connected')
  const costs = async () => (await sinceRest()).map(({ what }) => what).filter((what) => !what.startsWith('watch '))
  await expect.poll(async () => (await costs()).sort()).toEqual(['get secrets', 'patch zendeskconnectors/status'])
})
