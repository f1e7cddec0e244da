/** etcd, the Kubernetes control plane and kubectl as one program: kubernetes/main.go. */
import { join } from 'node:path'
import { type GoProgram, goProgram } from '../go-program.ts'

const version = { major: 1, minor: 34, text: 'v1.34.4' }

const kubernetes: GoProgram = {
  name: 'kubernetes',
  title: `Kubernetes ${version.text}`,
  purpose: 'a test cluster',
  duration: 'some minutes',
  source: join(import.meta.dirname, 'kubernetes'),
  files: ['go.mod', 'go.sum', 'main.go'],
  main: '.',
  variables: {
    'k8s.io/component-base/version.gitVersion': version.text,
    'k8s.io/component-base/version.gitMajor': version.major,
    'k8s.io/component-base/version.gitMinor': version.minor,
  },
  oldestGo: { major: 1, minor: 24 },
  aliases: ['etcd', 'kube-apiserver', 'kube-controller-manager', 'kube-scheduler', 'kubectl'],
}

/** Returns the folder that holds etcd, kube-apiserver, kubectl and so on, and builds them first where they are missing. */
export const kubernetesTools = (onProgress: (line: string) => void): Promise<string> =>
  goProgram(kubernetes, onProgress)
