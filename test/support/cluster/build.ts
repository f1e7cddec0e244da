/** etcd, the Kubernetes control plane, kubectl and, on Linux, the kubelet as one program: kubernetes/main.go. */
import { join } from 'node:path'
import { type GoProgram, goProgram } from '../go-program.ts'
import { chosenRelease, detailsOf, type ReleaseName } from './releases.ts'

function kubernetes(name: ReleaseName): GoProgram {
  const { version, modfile, oldestGo } = detailsOf(name)
  const [major = '', minor = ''] = name.split('.')
  const everywhere = ['etcd', 'kube-apiserver', 'kube-controller-manager', 'kube-scheduler', 'kubectl']
  return {
    name: 'kubernetes',
    title: `Kubernetes ${version}`,
    purpose: 'a test cluster',
    duration: 'some minutes',
    source: join(import.meta.dirname, 'kubernetes'),
    modfile,
    main: '.',
    variables: {
      'k8s.io/component-base/version.gitVersion': version,
      'k8s.io/component-base/version.gitMajor': major,
      'k8s.io/component-base/version.gitMinor': minor,
    },
    oldestGo,
    aliases: process.platform === 'linux' ? [...everywhere, 'kubelet'] : everywhere,
  }
}

/** Returns the folder that holds etcd, kube-apiserver, kubectl and so on, and builds them first where they are missing. */
export const kubernetesTools = (
  onProgress: (line: string) => void,
  release: ReleaseName = chosenRelease(),
): Promise<string> => goProgram(kubernetes(release), onProgress)
