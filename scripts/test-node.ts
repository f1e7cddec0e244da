/** `npm run test:node`: the third tier, real containers on a real kubelet, where a machine can have them. */
import { prepareMachine, toldSkipped } from '../test/support/node/requirements.ts'
import { run } from './run.ts'

if (process.argv.slice(2).some((one) => one === '--help' || one === '-h')) {
  console.log(`npm run test:node [-- ARGUMENTS OF VITEST]: our image, built and installed by helm, on containerd and the kubelet.
It needs Linux, root and Go; what else is missing it installs with apt-get. Nothing that it starts or mounts remains.
npm run test:node -- test/node/install.test.ts    one file`)
  process.exit(0)
}

const why = await prepareMachine(console.log)
if (why !== undefined) {
  console.log(toldSkipped(why))
  process.exit(0)
}
process.exitCode = await run('vitest', ['run', '--project', 'node', ...process.argv.slice(2)])
