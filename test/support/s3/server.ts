/**
 * A real S3 server for tests: versitygw over a temporary folder, which must know extended attributes, on a free port, by
 * default of the loopback address. Buckets are folders and objects files, which tests may read and remove.
 */
import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdir, mkdtemp, readdir } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join, relative, sep } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'
import { foundHousehold, type Running, startProcess } from '../cluster/processes.ts'
import { type GoProgram, goProgram, progressOnStderr } from '../go-program.ts'

export type AccessKey = { readonly accessKeyId: string; readonly secretAccessKey: string }

/** Its own access key may do everything. */
export type S3Server = AccessKey & {
  readonly endpoint: string
  /** Makes a bucket, unless it is there; the folder that holds its objects. */
  bucket(name: string): Promise<string>
  /** The objects of a bucket in order of their keys, each with the file that holds it. */
  objects(bucket: string): Promise<readonly { readonly key: string; readonly file: string }[]>
  /** A key more, which may use all buckets or none. */
  addKey(may: 'everything' | 'nothing'): Promise<AccessKey>
  /** From now on the key is not known. */
  revokeKey(key: AccessKey): Promise<void>
  /** Ends the server, and nothing remains. It ends as well when this process does, however that happens. */
  stop(): Promise<void>
}

const versitygw: GoProgram = {
  name: 'versitygw',
  title: 'versitygw v1.8.0',
  purpose: 'the S3 server of the tests',
  duration: 'about a minute',
  source: join(import.meta.dirname, 'versitygw'),
  main: 'github.com/versity/versitygw/cmd/versitygw',
  variables: {},
  oldestGo: { major: 1, minor: 25 },
  aliases: [],
}

export async function startS3({ host = '127.0.0.1' }: { readonly host?: string } = {}): Promise<S3Server> {
  const tools = await goProgram(versitygw, progressOnStderr())
  const household = await foundHousehold(await mkdtemp(join(tmpdir(), 'zendesk-connector-s3-')))
  const program = join(tools, 'versitygw')
  const [root, users] = ['buckets', 'users'].map((name) => join(household.folder, name)) as [string, string]
  const key = newKey()
  try {
    await Promise.all([root, users].map((folder) => mkdir(folder)))
    const address = `${host}:${await freePort(host)}`
    const endpoint = `http://${address}`
    const options = ['--quiet', '--keep-alive', '--iam-dir', users, '--iam-cache-disable', '--port', address]
    const bare = { PATH: process.env.PATH, HOME: household.folder }
    const server = startProcess(household.folder, 'versitygw', [program, ...options, 'posix', root], {
      ...bare,
      ROOT_ACCESS_KEY_ID: key.accessKeyId,
      ROOT_SECRET_ACCESS_KEY: key.secretAccessKey,
    })
    await untilItAnswers(endpoint, server)
    const admin = (command: string, ...args: string[]) =>
      promisify(execFile)(program, ['admin', command, ...args], {
        env: {
          ...bare,
          ADMIN_ACCESS_KEY_ID: key.accessKeyId,
          ADMIN_SECRET_ACCESS_KEY: key.secretAccessKey,
          ADMIN_ENDPOINT_URL: endpoint,
        },
      })
    return {
      endpoint,
      ...key,
      bucket: async (name) => {
        await mkdir(join(root, name), { recursive: true })
        return join(root, name)
      },
      objects: (bucket) => objectsIn(join(root, bucket)),
      addKey: async (may) => {
        const added = newKey()
        const role = may === 'everything' ? 'admin' : 'user'
        await admin('create-user', '-a', added.accessKeyId, '-s', added.secretAccessKey, '-r', role)
        return added
      },
      revokeKey: async ({ accessKeyId }) => void (await admin('delete-user', '-a', accessKeyId)),
      stop: () => household.disband(),
    }
  } catch (error) {
    await household.disband()
    throw error
  }
}

const newKey = (): AccessKey => ({ accessKeyId: `AKIA${hex(8).toUpperCase()}`, secretAccessKey: hex(20) })
const hex = (bytes: number) => randomBytes(bytes).toString('hex')

async function freePort(host: string): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve, reject) => server.on('error', reject).listen(0, host, resolve))
  const address = server.address()
  await new Promise((resolve) => server.close(resolve))
  return typeof address === 'object' && address !== null ? address.port : 0
}

async function untilItAnswers(endpoint: string, server: Running): Promise<void> {
  const deadline = Date.now() + 30_000
  for (;;) {
    const answer = await fetch(endpoint).catch(() => undefined)
    if (answer !== undefined) return void (await answer.body?.cancel())
    if (!server.isRunning() || Date.now() > deadline) {
      throw new Error(`The S3 server does not answer at ${endpoint}:\n${server.lastLines()}`)
    }
    await delay(20)
  }
}

async function objectsIn(folder: string) {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  return (
    entries
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name))
      .map((file) => ({ key: relative(folder, file).split(sep).join('/'), file }))
      // The server's own: what is being written.
      .filter(({ key }) => !key.startsWith('.sgwtmp/'))
      .sort((one, other) => (one.key < other.key ? -1 : 1))
  )
}
