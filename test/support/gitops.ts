/**
 * What Argo CD and Flux show of an object, by our scripts in gitops/: Lua in the interpreter that Argo CD uses, health check
 * expressions in Flux's own evaluator. `judgeHealth` takes statuses that cluster tests have recorded.
 */
import { spawn } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { parseAllDocuments } from 'yaml'
import { luaScript } from '../../scripts/argocd.ts'
import { KIND } from '../../src/connector/schema.ts'
import { type GoProgram, goProgram, progressOnStderr } from './go-program.ts'
import { expected } from './status-laws.ts'

const program: GoProgram = {
  name: 'gitops',
  title: 'the judge of Argo CD and Flux',
  purpose: 'the judge of health scripts',
  duration: 'about a minute',
  source: join(import.meta.dirname, 'gitops'),
  main: '.',
  variables: {},
  oldestGo: { major: 1, minor: 25 },
  aliases: [],
}

export type ArgoHealth = {
  readonly status: 'Healthy' | 'Progressing' | 'Degraded' | 'Suspended'
  readonly message: string
}
export type FluxHealth = 'InProgress' | 'Failed' | 'Current'
export type Health = { readonly argo: ArgoHealth; readonly flux: FluxHealth }

type Question = { readonly object: object; readonly script?: string; readonly expressions?: object }

/** Builds the program where it is missing. */
export const buildGitops = (): Promise<string> => goProgram(program, progressOnStderr())

/** What Argo CD and Flux show of each of these objects, in their order. @throws Error when a script fails. */
export async function healthOf(objects: readonly object[]): Promise<Health[]> {
  const [script, expressions] = await Promise.all([luaScript('health.lua'), healthCheckExpressions()])
  const argo = await ask<ArgoHealth>(objects.map((object) => ({ object, script })))
  const flux = await ask<FluxHealth>(objects.map((object) => ({ object, expressions })))
  return objects.map((_, at) => ({ argo: argo[at] as ArgoHealth, flux: flux[at] as FluxHealth }))
}

/** What a script of Argo CD makes of an object: another object, or which actions there are. */
export async function luaOf<T>(path: string, object: object): Promise<T> {
  const [answer] = await ask<T>([{ object, script: await luaScript(path) }])
  return answer as T
}

/** As much of a served connector as its health follows from. */
type Served = {
  readonly metadata: { readonly name: string; readonly generation: number; readonly deletionTimestamp?: string }
  readonly spec: { readonly suspend?: boolean }
  readonly status: {
    readonly observedGeneration: number
    readonly conditions?: readonly { readonly type: string; readonly status: string }[]
  }
}

const MEANS: Readonly<Record<FluxHealth, ArgoHealth['status']>> = {
  Current: 'Healthy',
  InProgress: 'Progressing',
  Failed: 'Degraded',
}

/** What is due by the tables of docs/design.md and gitops/README.md, and by nothing of our scripts. */
function dueHealth({ metadata, spec, status }: Served): { argo: ArgoHealth['status']; flux: FluxHealth | undefined } {
  // Flux knows what is being deleted before it looks at any expression.
  if (metadata.deletionTimestamp !== undefined) return { argo: 'Progressing', flux: undefined }
  const { generation } = metadata
  if (spec.suspend && status.observedGeneration === generation) return { argo: 'Suspended', flux: 'Current' }
  const flux = expected({ generation, status: { ...status, conditions: status.conditions ?? [] } })
  return { argo: MEANS[flux], flux }
}

/** What is wrong with what Argo CD and Flux show of a connector; empty: nothing. */
export function wrongIn(object: object, { argo, flux }: Health): string[] {
  const due = dueHealth(object as Served)
  return [
    ...(argo.status === due.argo ? [] : [`Argo CD says ${argo.status}, due ${due.argo}`]),
    ...(due.flux === undefined || flux === due.flux ? [] : [`Flux says ${flux}, due ${due.flux}`]),
    ...(argo.message === '' ? [`Argo CD has no message for ${argo.status}`] : []),
  ]
}

/** Where Argo CD or Flux would show another health than is due, or Argo CD no reason; empty: all is well. */
export async function judgeHealth(objects: readonly object[]): Promise<string[]> {
  const judged = await healthOf(objects)
  return objects.flatMap((object, at) =>
    wrongIn(object, judged[at] as Health).map((wrong) => `${wrong}: ${shows(object as Served)} (object ${at})`),
  )
}

const shows = ({ metadata: { name, generation }, status: { observedGeneration, conditions = [] } }: Served) =>
  `${name}, ${observedGeneration} of ${generation}, ${conditions.map(({ type, status }) => `${type}=${status}`).join(' ')}`

/** Those of gitops/flux, as Flux is given them. */
async function healthCheckExpressions(): Promise<object> {
  const file = join(import.meta.dirname, '..', '..', 'gitops', 'flux', 'kustomizations.yaml')
  const documents = parseAllDocuments(await readFile(file, 'utf8')).map((document) => document.toJS())
  const found = documents.flatMap(({ spec }) => spec?.healthCheckExprs ?? []).find(({ kind }) => kind === KIND)
  if (found === undefined) throw new Error(`${file} has no healthCheckExprs for ${KIND}.`)
  const { current, failed, inProgress } = found
  return { current, failed, inProgress }
}

async function ask<T>(questions: readonly Question[]): Promise<T[]> {
  if (questions.length === 0) return []
  const child = spawn(join(await buildGitops(), program.name), { stdio: ['pipe', 'pipe', 'pipe'] })
  const ended = new Promise<number | null>((resolve, reject) => child.once('error', reject).once('close', resolve))
  child.stdin.on('error', () => undefined)
  child.stdin.end(questions.map((question) => `${JSON.stringify(question)}\n`).join(''))
  const [out, problem, code] = await Promise.all([text(child.stdout), text(child.stderr), ended])
  if (code !== 0) throw new Error(`gitops: ${problem.trim()}`)
  const lines = out.split('\n').filter((line) => line !== '')
  return lines.map((line) => {
    const { result, error } = JSON.parse(line) as { result?: T; error?: string }
    if (error !== undefined) throw new Error(error)
    return result as T
  })
}
