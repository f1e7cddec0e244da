/** Those parts of Kubernetes' objects that the process node reads or writes, as they are on the wire. */

/** What all objects have. */
export type Meta = {
  readonly name: string
  readonly namespace: string
  readonly uid: string
  readonly resourceVersion: string
  readonly labels?: Readonly<Record<string, string>>
  readonly annotations?: Readonly<Record<string, string>>
  readonly deletionTimestamp?: string
  readonly deletionGracePeriodSeconds?: number
}

/** A Secret (data is base64) or a ConfigMap (data is text). */
export type Keyed = {
  readonly metadata: Meta
  readonly data?: Readonly<Record<string, string>>
  readonly binaryData?: Readonly<Record<string, string>>
}

/** One key of a Secret or ConfigMap, and the file it shall become. */
export type Item = { readonly key: string; readonly path: string; readonly mode?: number }

/** A field of the pod itself, and the file it shall become. */
export type FieldItem = {
  readonly path: string
  readonly mode?: number
  readonly fieldRef?: { readonly fieldPath: string }
}

/** One source of a projected volume. */
export type Projection = {
  readonly secret?: { readonly name: string; readonly items?: readonly Item[]; readonly optional?: boolean }
  readonly configMap?: { readonly name: string; readonly items?: readonly Item[]; readonly optional?: boolean }
  readonly downwardAPI?: { readonly items?: readonly FieldItem[] }
  readonly serviceAccountToken?: {
    readonly path: string
    readonly audience?: string
    readonly expirationSeconds?: number
  }
}

/** A volume of a pod. */
export type Volume = {
  readonly name: string
  readonly secret?: {
    readonly secretName: string
    readonly items?: readonly Item[]
    readonly optional?: boolean
    readonly defaultMode?: number
  }
  readonly configMap?: {
    readonly name: string
    readonly items?: readonly Item[]
    readonly optional?: boolean
    readonly defaultMode?: number
  }
  readonly downwardAPI?: { readonly items?: readonly FieldItem[]; readonly defaultMode?: number }
  readonly projected?: { readonly sources: readonly Projection[]; readonly defaultMode?: number }
  readonly emptyDir?: object
  readonly hostPath?: { readonly path: string }
  readonly persistentVolumeClaim?: { readonly claimName: string; readonly readOnly?: boolean }
}

type KeyRef = { readonly name: string; readonly key: string; readonly optional?: boolean }

/** One variable of a container's environment. */
export type EnvVar = {
  readonly name: string
  readonly value?: string
  readonly valueFrom?: {
    readonly fieldRef?: { readonly fieldPath: string }
    readonly secretKeyRef?: KeyRef
    readonly configMapKeyRef?: KeyRef
    readonly resourceFieldRef?: { readonly resource: string }
  }
}

/** A Secret or ConfigMap all of whose keys become variables. */
export type EnvFrom = {
  readonly prefix?: string
  readonly secretRef?: { readonly name: string; readonly optional?: boolean }
  readonly configMapRef?: { readonly name: string; readonly optional?: boolean }
}

/** Where a volume appears in a container. */
export type VolumeMount = {
  readonly name: string
  readonly mountPath: string
  readonly subPath?: string
  readonly readOnly?: boolean
}

/** A container of a pod. */
export type Container = {
  readonly name: string
  readonly image: string
  readonly command?: readonly string[]
  readonly args?: readonly string[]
  readonly workingDir?: string
  readonly env?: readonly EnvVar[]
  readonly envFrom?: readonly EnvFrom[]
  readonly volumeMounts?: readonly VolumeMount[]
  readonly terminationMessagePath?: string
  readonly terminationMessagePolicy?: 'File' | 'FallbackToLogsOnError'
}

/** A pod bound to a node. */
export type Pod = {
  readonly metadata: Meta
  readonly spec: {
    readonly nodeName: string
    readonly serviceAccountName: string
    readonly restartPolicy: 'Never' | 'OnFailure' | 'Always'
    readonly terminationGracePeriodSeconds?: number
    readonly initContainers?: readonly Container[]
    readonly containers: readonly Container[]
    readonly volumes?: readonly Volume[]
  }
  readonly status: { readonly phase?: string; readonly startTime?: string }
}
