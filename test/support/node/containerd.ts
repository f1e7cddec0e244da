/** containerd and its network plugins, as Debian has them, on a machine of their own. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { until } from '../cluster/control-plane.ts'
import type { Running } from '../cluster/processes.ts'
import { type Machine, NETWORK } from './machine.ts'
import { PAUSE, writePauseImage } from './pause.ts'

const SOCKET = '/run/containerd/containerd.sock'
/** As the kubelet calls it. */
export const RUNTIME_ENDPOINT = `unix://${SOCKET}`

export type Containerd = {
  readonly process: Running
  /** Makes the images of a docker archive known by the names that they have in it. */
  load(archive: string): Promise<void>
  /** One image by another name. */
  tag(image: string, name: string): Promise<void>
}

// No process here may have a smaller oom_score_adj than the one that starts it: that takes a right that root may lack.
const configuration = (networks: string) => `
version = 2
disabled_plugins = ["io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.zfs",
  "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.aufs"]
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "${PAUSE}"
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "${networks}"
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
      BinaryName = "runc"
`

const network = {
  cniVersion: '0.4.0',
  name: 'pods',
  plugins: [
    {
      type: 'bridge',
      bridge: NETWORK.bridge,
      ipam: {
        type: 'host-local',
        ranges: [[{ subnet: NETWORK.pods, rangeStart: NETWORK.firstPod, gateway: NETWORK.host }]],
        routes: [{ dst: '0.0.0.0/0' }],
      },
    },
  ],
}

/** Starts it and waits until it answers; the image of the pods' first container is there. */
export async function startContainerd(machine: Machine, archives: readonly string[]): Promise<Containerd> {
  const networks = join(machine.folder, 'networks')
  const file = join(machine.folder, 'containerd.toml')
  await mkdir(networks)
  await writeFile(join(networks, 'pods.conflist'), JSON.stringify(network))
  await writeFile(file, configuration(networks))
  const process = machine.start('containerd', ['containerd', '--config', file])
  const ctr = (...args: readonly string[]) => machine.run('ctr', '--namespace', 'k8s.io', ...args)
  await until('containerd answers', [process], async () => {
    await ctr('version')
    return true
  })
  const load = async (archive: string) => {
    await ctr('images', 'import', archive)
  }
  const folder = await mkdtemp(join(tmpdir(), 'zendesk-connector-pause-'))
  try {
    for (const archive of [await writePauseImage(folder), ...archives]) await load(archive)
  } finally {
    await rm(folder, { recursive: true })
  }
  return {
    process,
    load,
    tag: async (image, name) => {
      await ctr('images', 'tag', image, name)
    },
  }
}
