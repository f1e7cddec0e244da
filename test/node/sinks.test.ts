/** S3 as pods reach it: over the network, with credentials from a Secret that the kubelet mounts. */
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { connectorYaml, documents, secretYaml } from '../support/manifests.ts'
import { NETWORK } from '../support/node/machine.ts'
import { type NodeStage, startNodeStage } from '../support/node/stage.ts'
import { expectAllActivities, expectAllUsers } from '../support/node/whole.ts'
import { runEnded } from '../support/records.ts'
import { type S3Server, startS3 } from '../support/s3/server.ts'
import { readRecords } from '../support/stage.ts'

let stage: NodeStage
let s3: S3Server
beforeAll(async () => {
  stage = await startNodeStage('sinks')
  s3 = await startS3({ host: NETWORK.host })
  await stage.release('install')
})
afterAll(async () => {
  await s3?.stop()
  await stage?.stop()
})

test('every record arrives in the bucket once, and the next run goes on where the first one ended', async () => {
  const name = 'bucket'
  const account = stage.simulator.account(name)
  const folder = await s3.bucket(name)
  const records = (stream: string) => readRecords(join(folder, 'zendesk', 'security', name, stream))
  const { endpoint, accessKeyId, secretAccessKey } = s3
  const secretRef = { name: `${name}-sink-zendesk` }
  const sink = { s3: { bucket: name, prefix: 'zendesk', endpoint, pathStyle: true, secretRef } }
  const key = secretYaml(`${name}-sink`, { accessKeyId, secretAccessKey })
  await stage.apply(documents(secretYaml(name), key, connectorYaml({ name, spec: { sync: { sink } } })))
  const first = await stage.until(name, runEnded(1), { seconds: 60 })
  expect(first.status.sync.lastRun).toMatchObject({ result: 'Succeeded', records: 239 })
  expectAllUsers(account, await records('Users'))
  expectAllActivities(account, await records('AuditLogs'), 200)

  const id = account.appendActivity({ createdAt: Date.now() - 120_000 })
  const slot = await stage.requestRun(name)
  const second = await stage.until(name, runEnded(slot), { seconds: 60 })
  expect(second.status.sync.lastRun).toMatchObject({ result: 'Succeeded', records: 1 })
  expectAllActivities(account, await records('AuditLogs'), 201)
  expect((await records('AuditLogs')).at(-1)?.raw_data).toBe(account.rawActivity(id))
})
