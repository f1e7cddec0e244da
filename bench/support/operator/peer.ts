/** The same on controller-runtime, the library that most operators stand on: ../../controller-runtime/main.go. */
import { join } from 'node:path'
import { goProgram, progressOnStderr } from '../../../test/support/go-program.ts'

/** Path of the program, which is built where it is missing. */
export async function peerProgram(): Promise<string> {
  const name = 'controller-runtime-peer'
  const folder = await goProgram(
    {
      name,
      title: 'a controller on controller-runtime v0.25.2',
      purpose: 'the peer of this bench',
      duration: 'some minutes',
      source: join(import.meta.dirname, '..', '..', 'controller-runtime'),
      main: '.',
      variables: {},
      oldestGo: { major: 1, minor: 26 },
      aliases: [],
    },
    progressOnStderr(),
  )
  return join(folder, name)
}
