/** Which Kubernetes the cluster tests run on, as somebody asks for it. */
import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, test } from 'vitest'
import { detailsOf, RELEASE_NAMES, releaseNamed } from '../support/cluster/releases.ts'

const root = join(import.meta.dirname, '..', '..')

const ask = (...args: string[]) =>
  promisify(execFile)(process.execPath, [join(root, 'scripts', 'test-cluster.ts'), ...args], { cwd: root })

describe('npm run test:cluster', () => {
  test.each([[['--kubernetes', '1.12']], [['--kubernetes=1.12']], [['--kubernetes']]])(
    'says in one sentence which Kubernetes there are: %s',
    async (args) => {
      const sentence = /^There is no Kubernetes ".*" to test on: choose one of 1\.34, 1\.36, 1\.37\.\n$/
      await expect(ask(...args)).rejects.toMatchObject({ code: 1, stderr: expect.stringMatching(sentence) })
    },
  )

  test('explains itself', async () => {
    expect((await ask('--help')).stdout).toContain('--kubernetes RELEASE')
  })
})

test.each(RELEASE_NAMES.split(', '))('Kubernetes %s is built from modules of just that release', async (name) => {
  const { version, modfile } = detailsOf(releaseNamed(name))
  expect(version).toMatch(new RegExp(`^v${name}\\.\\d+$`))
  const text = await readFile(join(root, 'test', 'support', 'cluster', 'kubernetes', modfile), 'utf8')
  expect(text).toContain(`\tk8s.io/kubernetes ${version}\n`)
  const staging = text.match(/^\tk8s\.io\/\S+ => k8s\.io\/\S+ \S+$/gm) ?? []
  expect(staging.length).toBeGreaterThan(25)
  const others = staging.filter((line) => !line.endsWith(` ${version.replace('v1', 'v0')}`))
  expect(others).toEqual([])
})
