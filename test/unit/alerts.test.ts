/** Alerts and dashboard: they ask for metrics that there are, and promtool finds them firing when they must. */
import { execFile } from 'node:child_process'
import { copyFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { parse, stringify } from 'yaml'
import { createMetrics } from '../../src/metrics/metrics.ts'
import { CHART } from '../support/helm.ts'

const execute = promisify(execFile)
const hasPromtool = await execute('promtool', ['--version']).then(
  () => true,
  () => false,
)
if (!hasPromtool) process.stderr.write('The alerts are not tested: promtool was not found (Debian: prometheus).\n')

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'zendesk-connector-alerts-'))
})
afterAll(() => rm(folder, { recursive: true }))

/** As the chart renders it by default. */
const alerts = async () => {
  const values = parse(await readFile(join(CHART, 'values.yaml'), 'utf8'))
  const file = await readFile(join(CHART, 'files', 'alerts.yaml'), 'utf8')
  return file
    .replaceAll('STALE_AFTER_SECONDS', String(values.metrics.rules.staleAfterSeconds))
    .replaceAll('LEASE_NAME', 'zendesk-connector')
}

test.skipIf(!hasPromtool)('each alert fires when it must, and not before', async () => {
  await writeFile(join(folder, 'rules.yaml'), await alerts())
  await copyFile(join(import.meta.dirname, 'fixtures', 'alerts.yaml'), join(folder, 'test.yaml'))
  await execute('promtool', ['check', 'rules', '--lint-fatal', 'rules.yaml'], { cwd: folder })
  await execute('promtool', ['test', 'rules', 'test.yaml'], { cwd: folder }).catch(({ stdout, stderr }) => {
    throw new Error(`${stdout}${stderr}`)
  })
})

test.skipIf(!hasPromtool)('promtool reads each query of the dashboard', async () => {
  const { panels } = JSON.parse(await readFile(join(CHART, 'files', 'dashboard.json'), 'utf8'))
  const queries: string[] = panels.flatMap(({ targets }: { targets: { expr: string }[] }) =>
    targets.map(({ expr }) => expr),
  )
  const rules = queries.map((expr, at) => ({ record: `query${at}`, expr: expr.replaceAll('$__rate_interval', '5m') }))
  await writeFile(join(folder, 'queries.yaml'), stringify({ groups: [{ name: 'dashboard', rules }] }))
  await execute('promtool', ['check', 'rules', 'queries.yaml'], { cwd: folder })
})

test('alerts and dashboard ask only for metrics that there are, and each alert is tested', async () => {
  const dashboard = await readFile(join(CHART, 'files', 'dashboard.json'), 'utf8')
  const rules = parse(await alerts()).groups[0].rules as { alert: string; expr: string }[]
  let text = ''
  for await (const piece of createMetrics({ now: () => new Date() }).text()) text += piece
  const there = new Set([...text.matchAll(/^# TYPE (\S+)/gm)].map(([, name]) => name))
  const asked = `${rules.map(({ expr }) => expr).join('\n')}\n${dashboard}`.matchAll(
    /\b(?:zendesk|workqueue|controller_runtime|rest_client|leader_election|process)_\w+/g,
  )
  expect([...new Set([...asked].map(([name]) => name))].filter((name) => !there.has(name))).toEqual([])
  const fixture = await readFile(join(import.meta.dirname, 'fixtures', 'alerts.yaml'), 'utf8')
  for (const { alert } of rules) expect(fixture).toContain(`alertname: ${alert}\n`)
})
