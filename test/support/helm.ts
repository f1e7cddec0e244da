/** The real helm and kube-score, built from their modules, for what the chart is and does. They see nothing of the developer's own. */
import { execFile } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseAllDocuments } from 'yaml'
import { type GoProgram, goProgram, progressOnStderr } from './go-program.ts'

const program = (name: string, title: string, main: string, variables: GoProgram['variables'], minor: number) => ({
  name,
  title,
  purpose: 'a judge of the chart',
  duration: 'some minutes',
  source: join(import.meta.dirname, name),
  main,
  variables,
  oldestGo: { major: 1, minor },
  aliases: [],
})

const HELM = program(
  'helm',
  'Helm v4.3.1',
  'helm.sh/helm/v4/cmd/helm',
  { 'helm.sh/helm/v4/internal/version.version': 'v4.3.1' },
  26,
)
const KUBE_SCORE = program(
  'kube-score',
  'kube-score v1.20.0',
  'github.com/zegl/kube-score/cmd/kube-score',
  { 'main.version': 'v1.20.0' },
  24,
)

/** The chart's folder. */
export const CHART = join(import.meta.dirname, '..', '..', 'charts', 'zendesk-connector')

/** An object of the Kubernetes API as YAML says it. */
export type Manifest = {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: {
    readonly name: string
    readonly namespace?: string
    readonly labels?: Readonly<Record<string, string>>
    readonly annotations?: Readonly<Record<string, string>>
  }
  // biome-ignore lint/suspicious/noExplicitAny: tests look wherever they like into manifests of any kind
  readonly [field: string]: any
}

/** Builds what is missing; minutes, once. */
export async function buildHelm(): Promise<void> {
  await goProgram(HELM, progressOnStderr())
  await goProgram(KUBE_SCORE, progressOnStderr())
}

/** Folder that holds helm; builds it where it is missing. */
export const helmFolder = (): Promise<string> => goProgram(HELM, progressOnStderr())

/** Runs helm and returns what it printed. `input` is what it reads as `-`. @throws Error with what it complained of. */
export async function helm(args: readonly string[], input = ''): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'zendesk-connector-helm-'))
  const homes = ['CACHE', 'CONFIG', 'DATA'].map((name) => [`HELM_${name}_HOME`, join(folder, name)])
  try {
    const env = { PATH: process.env.PATH, HOME: folder, ...Object.fromEntries(homes) }
    return await run(join(await helmFolder(), 'helm'), args, input, env)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** The manifests that the chart renders with these values, hooks included. */
export async function rendered(values: object = {}, namespace = 'zendesk-connector-system'): Promise<Manifest[]> {
  return manifestsIn(await renderedText(values, namespace))
}

export function renderedText(values: object = {}, namespace = 'zendesk-connector-system'): Promise<string> {
  return helm(
    ['template', 'zendesk-connector', CHART, '--namespace', namespace, '--values', '-'],
    JSON.stringify(values),
  )
}

export function manifestsIn(yaml: string): Manifest[] {
  return parseAllDocuments(yaml).flatMap((document) => {
    if (document.errors.length > 0) throw document.errors[0]
    const manifest = document.toJS() as Manifest | null
    return manifest === null ? [] : [manifest]
  })
}

type Scored = {
  readonly checks: readonly {
    readonly check: { readonly id: string }
    readonly skipped: boolean
    readonly grade: number
  }[]
}

/** What kube-score finds in these manifests, by the ids of its checks; 10 is the best grade. */
export async function kubeScore(yaml: string): Promise<string[]> {
  const binary = join(await goProgram(KUBE_SCORE, progressOnStderr()), 'kube-score')
  const printed = await run(binary, ['score', '--output-format=json', '--exit-one-on-warning=false', '-'], yaml, {})
  return (JSON.parse(printed) as Scored[]).flatMap(({ checks }) =>
    checks.filter((one) => !one.skipped && one.grade < 10).map(({ check }) => check.id),
  )
}

function run(file: string, args: readonly string[], input: string, env: NodeJS.ProcessEnv): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = execFile(file, [...args], { env, maxBuffer: 64 * 1024 * 1024 }, (error, stdout, stderr) => {
      // kube-score ends with 1 when it has found something, which is told in what it printed.
      if (error && (stdout === '' || !stdout.startsWith('[')))
        reject(new Error(stderr.trim() || stdout || error.message))
      else resolve(stdout)
    })
    child.stdin?.on('error', () => {})
    child.stdin?.end(input)
  })
}
