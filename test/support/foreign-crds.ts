/**
 * CRDs of the programs that our chart and examples speak to, as they are released: files of Go modules, each pinned by its
 * sum. That of Flux's HelmRelease is in no module that can be had: it is made from its types, as Flux makes it.
 */
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, rename, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { promisify } from 'node:util'
import { type GoProgram, goProgram, progressOnStderr } from './go-program.ts'

type Source = { readonly module: string; readonly sum: string; readonly files: readonly string[] }

const SOURCES: readonly Source[] = [
  {
    module: 'github.com/prometheus-operator/prometheus-operator@v0.85.0',
    sum: 'h1:M5xLCLEoaW2IJfnuCwFzzpL+jSVQu3KGT84Pye+fW8s=',
    files: ['prometheusrules', 'servicemonitors'].map(
      (name) => `example/prometheus-operator-crd/monitoring.coreos.com_${name}.yaml`,
    ),
  },
  {
    module: 'github.com/external-secrets/external-secrets@v1.3.2',
    sum: 'h1:u2J8RjlHIeF0oZCqtl92adI/uZWUwOesJIDkfql6LqQ=',
    files: ['externalsecrets', 'secretstores'].map((name) => `config/crds/bases/external-secrets.io_${name}.yaml`),
  },
  {
    module: 'github.com/bitnami-labs/sealed-secrets@v0.40.0',
    sum: 'h1:rvCP35JL8ZV5LNA2SrwNR6iLyoM3ulrSFWN0lBtYEYI=',
    files: ['helm/sealed-secrets/crds/bitnami.com_sealedsecrets.yaml'],
  },
  {
    module: 'github.com/fluxcd/kustomize-controller@v1.7.3',
    sum: 'h1:SzNnGn/4ObAPEHHleM5U7y/AKxKXph3Vj6ZhteeXw8M=',
    files: ['config/crd/bases/kustomize.toolkit.fluxcd.io_kustomizations.yaml'],
  },
  {
    module: 'github.com/fluxcd/source-controller@v1.8.5',
    sum: 'h1:3zKSTGc2FPoZcQ5BjnyOrwdHDWeYqst3uAoZ+c0DG3c=',
    files: ['gitrepositories', 'ocirepositories'].map(
      (name) => `config/crd/bases/source.toolkit.fluxcd.io_${name}.yaml`,
    ),
  },
  {
    module: 'github.com/argoproj/argo-cd/v3@v3.2.1',
    sum: 'h1:rvrkW/JdH4V+xJgNDZI9wa/Ygd+fWoGbd1rAhvno22c=',
    files: ['manifests/crds/application-crd.yaml'],
  },
]

const GENERATOR: GoProgram = {
  name: 'controller-gen',
  title: 'controller-gen v0.20.0',
  purpose: 'the generator of CRDs',
  duration: 'half a minute',
  source: join(import.meta.dirname, 'flux-crds'),
  main: 'sigs.k8s.io/controller-tools/cmd/controller-gen',
  variables: {},
  oldestGo: { major: 1, minor: 25 },
  aliases: [],
}

/** Paths of the CRDs; what is missing is downloaded or built. @throws Error when a module is not what it was. */
export async function foreignCrds(): Promise<string[]> {
  const [helmRelease, ...found] = await Promise.all([helmReleaseCrd(), ...SOURCES.map(filesOf)])
  return [helmRelease, ...found.flat()]
}

/** Made once, beside what makes it. */
async function helmReleaseCrd(): Promise<string> {
  const folder = await goProgram(GENERATOR, progressOnStderr())
  const file = join(folder, 'helm.toolkit.fluxcd.io_helmreleases.yaml')
  if (existsSync(file)) return file
  const made = await mkdtemp(join(folder, 'unfinished-'))
  const args = ['crd', 'paths=github.com/fluxcd/helm-controller/api/v2', `output:crd:dir=${made}`]
  await promisify(execFile)(join(folder, GENERATOR.name), args, { cwd: GENERATOR.source, env: goEnvironment })
  await rename(join(made, basename(file)), file)
  await rm(made, { recursive: true })
  return file
}

/** A developer's own settings are about other code than this. */
const goEnvironment = { ...process.env, GOFLAGS: '-mod=mod', GOWORK: 'off', GOTOOLCHAIN: 'local' }

async function filesOf({ module, sum, files }: Source): Promise<string[]> {
  const options = { cwd: tmpdir(), env: goEnvironment }
  const { stdout } = await promisify(execFile)('go', ['mod', 'download', '-json', module], options)
  const { Dir, Sum } = JSON.parse(stdout) as { Dir: string; Sum: string }
  if (Sum !== sum) throw new Error(`${module} is not what it was: ${Sum}`)
  return files.map((file) => join(Dir, file))
}
