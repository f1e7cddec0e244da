/** `npm run test:node`: the third tier, real containers on a real kubelet, where a machine can have them. */
import { spawn } from 'node:child_process'
import { prepareMachine } from '../test/support/node/requirements.ts'

if (process.argv.slice(2).some((one) => one === '--help' || one === '-h')) {
  console.log(`npm run test:node [-- ARGUMENTS OF VITEST]: our image, built and installed by helm, on containerd and the kubelet.
It needs Linux, root and Go; what else is missing it installs with apt-get. Nothing that it starts or mounts remains.
npm run test:node -- test/node/install.test.ts    one file`)
  process.exit(0)
}

const why = await prepareMachine(console.log)
if (why !== undefined) {
  console.log(`Skipped the tests of test/node, real containers on a real kubelet: ${why}.`)
  process.exit(0)
}
const vitest = ['--no', '--', 'vitest', 'run', '--project', 'node', ...process.argv.slice(2)]
const child = spawn('npx', vitest, { stdio: 'inherit' })
process.exitCode = await new Promise<number>((resolve, reject) => {
  child.once('error', reject)
  child.once('exit', (code) => resolve(code ?? 1))
})
