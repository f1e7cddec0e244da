/** Writes gitops/argocd/argocd-cm.yaml from the scripts beside it. A test fails when they differ. */
import { writeFile } from 'node:fs/promises'
import { stringify } from 'yaml'
import { argocdConfig } from './argocd.ts'

const head = `# Generated from the scripts beside it by \`node scripts/generate-argocd.ts\`. Do not edit.
# kubectl apply --server-side --force-conflicts -f argocd-cm.yaml (it adds to what is in the ConfigMap), or take data over
# into \`configs.cm\` of Argo CD's chart.
`
await writeFile(
  new URL('../gitops/argocd/argocd-cm.yaml', import.meta.url),
  head + stringify(await argocdConfig(), { lineWidth: 0 }),
)
