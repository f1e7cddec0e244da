/** The simulator as a process of its own: `npm run simulator -- --help`. */
import { Command, InvalidArgumentError, Option } from 'commander'
import { createFaults, type FaultOptions } from './faults.ts'
import { type AccountOptions, planLimits } from './options.ts'
import { startSimulator } from './simulator.ts'

type Flags = {
  account: string
  clientId: string
  clientSecret: string
  plan: keyof typeof planLimits
  role: 'end-user' | 'agent' | 'admin'
  users: number
  days: number
  activities: number
  earlier: number
  limit?: number
  window: 'fixed' | 'sliding'
  windowSeconds: number
  bigIds: boolean
  hostileStrings: boolean
  recordServed: boolean
  repeat: number
  fault: FaultOptions[]
  host: string
  proxyPort: number
  controlPort: number
}

const program = new Command('simulator')
  .description('A Zendesk of our own behind a CONNECT proxy. Runs until interrupted.')
  .option('--account <subdomain>', 'the account that exists from the start', 'acme')
  .option('--client-id <id>', 'its OAuth client', 'zendesk-connector')
  .option('--client-secret <secret>', 'and the secret', 'acme-secret')
  .addOption(new Option('--plan <plan>').choices(Object.keys(planLimits)).default('enterprise'))
  .addOption(new Option('--role <role>', 'of the acting user').choices(['end-user', 'agent', 'admin']).default('admin'))
  .option('--users <count>', 'users in the account', wholeNumber, 25)
  .option('--days <days>', 'how far the activities go back', wholeNumber, 40)
  .option('--activities <count>', 'activities of the last seven days', wholeNumber, 200)
  .option('--earlier <count>', 'activities of each day before', wholeNumber, 10)
  .option('--limit <requests>', "requests in a window (default: the plan's)", wholeNumber)
  .addOption(new Option('--window <kind>', 'of the rate limit').choices(['fixed', 'sliding']).default('fixed'))
  .option('--window-seconds <seconds>', 'its length', wholeNumber, 60)
  .option('--big-ids', 'activities with ids above 2^53', false)
  .option('--hostile-strings', 'control characters, quotes, emoji and 5,000 characters in some records', false)
  .option('--record-served', 'keep the text of every record served, for the control API', false)
  .option('--repeat <count>', 'users at the end of a page come again on the next', wholeNumber, 0)
  .option(
    '--fault <json>',
    'a fault, as addFault takes it; can be repeated. Example: {"path":"audit_logs","times":3,"effect":{"kind":"status","status":503,"retryAfter":2}}',
    fault,
    [],
  )
  .option('--host <address>', 'where to listen', '127.0.0.1')
  .option('--proxy-port <port>', 'default: a free one', wholeNumber, 0)
  .option('--control-port <port>', 'default: a free one', wholeNumber, 0)

const flags = program.parse().opts<Flags>()
const simulator = await startSimulator(flags)
const account = simulator.account(flags.account, accountOptions(flags))
if (flags.role !== 'admin') account.changeRole(flags.role)
for (const each of flags.fault) account.addFault(each)
const base = `https://${flags.account}.zendesk.com`
const curl = `curl --silent --proxy ${simulator.proxyUrl} --cacert ${simulator.caFile}`
console.log(`proxy    ${simulator.proxyUrl}
CA file  ${simulator.caFile}
control  ${simulator.controlUrl}

In another shell, for any client that honours these:
  export HTTPS_PROXY=${simulator.proxyUrl} NODE_EXTRA_CA_CERTS=${simulator.caFile}

By hand:
  ${curl} ${base}/api/v2/users/me
  TOKEN=$(${curl} ${base}/oauth/tokens -H 'content-type: application/json' \\
    -d '{"grant_type":"client_credentials","client_id":"${flags.clientId}","client_secret":"${flags.clientSecret}","scope":"read","expires_in":1800}' \\
    | sed 's/.*"access_token":"\\([^"]*\\)".*/\\1/')
  ${curl} -H "authorization: Bearer $TOKEN" ${base}/api/v2/users/me
  ${curl} -g -H "authorization: Bearer $TOKEN" '${base}/api/v2/audit_logs?page[size]=2&sort=created_at'
  ${curl} -H "authorization: Bearer $TOKEN" '${base}/api/v2/incremental/users/cursor?start_time=0&per_page=2'

Change the world while it runs:
  curl --silent ${simulator.controlUrl}/accounts/${flags.account}/changeRole -d '["agent"]'
  curl --silent ${simulator.controlUrl}/accounts/${flags.account}/appendActivity -d '[{"actorName":"Mallory"}]'
  curl --silent ${simulator.controlUrl}/accounts/${flags.account}/ledger/countByStatus -d '[]'`)
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void simulator.stop())

function accountOptions(given: Flags): AccountOptions {
  return {
    plan: given.plan,
    clients: [{ clientId: given.clientId, clientSecret: given.clientSecret }],
    users: { count: given.users, repeatAtBoundaries: given.repeat },
    activities: {
      days: given.days,
      lastSevenDays: given.activities,
      perEarlierDay: given.earlier,
      ...(given.bigIds ? { firstId: '9007199254740993' } : {}),
    },
    limit: { requests: given.limit, kind: given.window, windowMs: given.windowSeconds * 1000 },
    hostileStrings: given.hostileStrings,
    recordServed: given.recordServed,
  }
}

function wholeNumber(text: string): number {
  if (!/^\d+$/.test(text)) throw new InvalidArgumentError('a whole number is needed')
  return Number(text)
}

function fault(text: string, others: FaultOptions[]): FaultOptions[] {
  try {
    const options = JSON.parse(text) as FaultOptions
    createFaults(0).add(options)
    return [...others, options]
  } catch (error) {
    throw new InvalidArgumentError(error instanceof Error ? error.message : String(error))
  }
}
