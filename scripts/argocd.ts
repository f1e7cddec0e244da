/** The settings that teach Argo CD about connectors, as a patch of its ConfigMap: made from gitops/argocd/*.lua. */
import { readFile } from 'node:fs/promises'
import { GROUP, KIND } from '../src/connector/schema.ts'

/** In the order in which they are shown. */
export const ACTIONS = ['test-now', 'sync-now', 'suspend', 'resume'] as const

const folder = new URL('../gitops/argocd/', import.meta.url)
/** A script by its path below gitops/argocd. */
export const luaScript = (path: string): Promise<string> => readFile(new URL(path, folder), 'utf8')

/** What `gitops/argocd/argocd-cm.yaml` holds. */
export async function argocdConfig() {
  const definitions = await Promise.all(
    ACTIONS.map(async (name) => ({ name, 'action.lua': await luaScript(`actions/${name}/action.lua`) })),
  )
  return {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'argocd-cm', namespace: 'argocd' },
    data: {
      [`resource.customizations.health.${GROUP}_${KIND}`]: await luaScript('health.lua'),
      // YAML within YAML, as Argo CD wants it. JSON is YAML too, but this is read by people.
      [`resource.customizations.actions.${GROUP}_${KIND}`]: [
        'discovery.lua: |',
        ...indented(await luaScript('actions/discovery.lua'), 2),
        'definitions:',
        ...definitions.flatMap(({ name, 'action.lua': script }) => [
          `  - name: ${name}`,
          '    action.lua: |',
          ...indented(script, 6),
        ]),
        '',
      ].join('\n'),
    },
  }
}

const indented = (text: string, by: number) =>
  text
    .trimEnd()
    .split('\n')
    .map((line) => (line === '' ? '' : ' '.repeat(by) + line))
