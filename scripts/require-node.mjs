// Plain JavaScript, because it must run, and speak, on a Node that is too old for everything else here.
const major = Number(process.versions.node.split('.')[0])
if (major < 24) {
  console.error(
    `This is Node ${process.versions.node}, and the Node 24 that npm ci brings along is not there: run npm ci without --omit=optional, or install Node 24.`,
  )
  process.exit(1)
}
