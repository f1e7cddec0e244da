/** Before the first and after the last file of the node tier: the image, once for all, and the figures. */
import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestProject } from 'vitest/node'
import { foundHousehold, type Household } from '../cluster/processes.ts'
import { progressOnStderr } from '../go-program.ts'
import { buildImage, type Image } from '../image/build.ts'
import { note, told } from './figures.ts'
import { prepareMachine } from './requirements.ts'

declare module 'vitest' {
  export interface ProvidedContext {
    readonly image: Image
    readonly figures: string
  }
}

let household: Household | undefined
const figuresIn = ({ folder }: Household) => join(folder, 'figures.ndjson')

export async function setup(project: TestProject): Promise<void> {
  const why = await prepareMachine(console.error)
  if (why !== undefined) throw new Error(`The node tier cannot be run: ${why}.`)
  household = await foundHousehold(await mkdtemp(join(tmpdir(), 'zendesk-connector-node-tier-')))
  const figures = figuresIn(household)
  const image = await buildImage(join(household.folder, 'image'), progressOnStderr())
  await note(figures, { what: 'image', value: Math.round(image.sizeBytes / 2 ** 20), unit: 'MiB' })
  project.provide('image', image)
  project.provide('figures', figures)
}

export async function teardown(): Promise<void> {
  if (household === undefined) return
  console.log(await told(figuresIn(household)))
  await household.disband()
}
