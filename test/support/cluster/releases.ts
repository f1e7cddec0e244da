/**
 * The Kubernetes that tests run against: the oldest that we promise unless another is asked for, which is the one place
 * where that is read. Each has its file of versions in kubernetes/.
 */

/** From 1.35 on the kubelet refuses cgroup v1 unless its configuration says `failCgroupV1: false`. */
const releases = {
  '1.34': { version: 'v1.34.4', modfile: 'go.mod', oldestGo: { major: 1, minor: 24 } },
  '1.36': { version: 'v1.36.3', modfile: 'kubernetes-1.36.mod', oldestGo: { major: 1, minor: 26 } },
  '1.37': { version: 'v1.37.2', modfile: 'kubernetes-1.37.mod', oldestGo: { major: 1, minor: 26 } },
} as const

/** As people name it: major and minor. */
export type ReleaseName = keyof typeof releases

/** The environment variable that asks for another than the default. */
export const RELEASE_VARIABLE = 'TEST_KUBERNETES'

/** As help texts and complaints list them. */
export const RELEASE_NAMES = Object.keys(releases).join(', ')

/** The oldest that we promise, for who asks for none. */
export const DEFAULT_RELEASE: ReleaseName = '1.34'

/** The release of this name. @throws Error that says which there are. */
export function releaseNamed(text: string): ReleaseName {
  if (Object.hasOwn(releases, text)) return text as ReleaseName
  throw new Error(`There is no Kubernetes "${text}" to test on: choose one of ${RELEASE_NAMES}.`)
}

/** What was asked for, or the default. @throws Error when that does not exist. */
export const chosenRelease = (): ReleaseName => releaseNamed(process.env[RELEASE_VARIABLE] ?? DEFAULT_RELEASE)

/** What is built for it. */
export const detailsOf = (name: ReleaseName) => releases[name]
