/** Which cluster a person means: as kubectl finds it, by flag, KUBECONFIG or ~/.kube/config. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { stringify } from 'yaml'
import { personalAccess } from '../../src/kube/kubeconfig.ts'
import { personalCluster } from '../../src/person.ts'

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'person-'))
})
afterEach(() => rm(folder, { recursive: true }))

type Context = { readonly name: string; readonly cluster: string; readonly namespace?: string; readonly user?: string }

async function kubeconfig(
  path: string,
  contexts: readonly Context[],
  current: string,
  server = 'one',
): Promise<string> {
  const file = join(folder, path)
  await mkdir(join(file, '..'), { recursive: true })
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': current,
    clusters: contexts.map(({ cluster }) => ({ name: cluster, cluster: { server: `https://${cluster}.${server}` } })),
    users: contexts.map(({ name, user }) => ({ name, user: { token: user ?? name } })),
    contexts: contexts.map(({ name, cluster, namespace }) => ({ name, context: { cluster, user: name, namespace } })),
  }
  await writeFile(file, stringify(config))
  return file
}

it('reads all files of KUBECONFIG as one, where the first that says something counts, and those that are missing do not', async () => {
  const first = await kubeconfig('first', [{ name: 'a', cluster: 'prod', namespace: 'security' }], '')
  const second = await kubeconfig(
    'second',
    [
      { name: 'b', cluster: 'stage' },
      { name: 'a', cluster: 'prod' },
    ],
    'a',
    'two',
  )
  const access = personalAccess([first, second], undefined)
  expect(access).toMatchObject({ server: 'https://prod.one', context: 'a', namespace: 'security' })
  expect((await access.credentials()).headers).toEqual({ authorization: 'Bearer a' })
  expect(personalAccess([first, second], 'b')).toMatchObject({ server: 'https://stage.two', namespace: undefined })
  const environment = { KUBECONFIG: `${folder}/missing:${first}:${second}` }
  expect(await personalCluster({}, environment)).toMatchObject({ namespace: 'security' })
})

it('takes the namespace of the flag, then that of the context, then default', async () => {
  const file = await kubeconfig(
    'any',
    [
      { name: 'a', cluster: 'c', namespace: 'security' },
      { name: 'b', cluster: 'd' },
    ],
    'a',
  )
  const namespaces = [{}, { context: 'b' }, { namespace: 'other' }].map(async (options) => {
    const { namespace, cluster } = await personalCluster({ kubeconfig: file, ...options }, {})
    await cluster.close()
    return namespace
  })
  expect(await Promise.all(namespaces)).toEqual(['security', 'default', 'other'])
})

it('looks at ~/.kube/config where nothing is named, and never where something is', async () => {
  await kubeconfig('.kube/config', [{ name: 'a', cluster: 'c', namespace: 'home' }], 'a')
  expect(await personalCluster({}, { HOME: folder })).toMatchObject({ namespace: 'home' })
  await expect(personalCluster({}, { HOME: folder, KUBECONFIG: join(folder, 'missing') })).rejects.toThrow(
    'No kubeconfig found',
  )
})

it('says in one sentence what keeps it from a cluster, and quotes no file', async () => {
  await expect(personalCluster({}, { HOME: folder })).rejects.toThrow('No kubeconfig found: set --kubeconfig')
  await expect(personalCluster({ kubeconfig: '/nowhere' }, {})).rejects.toThrow('it does not exist')
  const file = await kubeconfig('any', [{ name: 'a', cluster: 'c' }], 'a')
  await expect(personalCluster({ kubeconfig: file, context: 'x' }, {})).rejects.toThrow('context x does not exist')
  await writeFile(join(folder, 'broken'), 'users: [c4n4ry')
  const broken = personalCluster({ kubeconfig: join(folder, 'broken') }, {})
  await expect(broken).rejects.toThrow('it is not a kubeconfig')
  await expect(broken).rejects.not.toThrow('c4n4ry')
})
