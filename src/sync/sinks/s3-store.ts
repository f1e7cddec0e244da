/**
 * The only file that imports the AWS SDK, and is itself imported when the first object is due: the SDK costs 80 ms and
 * 40 MB, which runs into other sinks need not pay. It speaks of objects, keys and bytes; errors pass as they come.
 */
import { hash } from 'node:crypto'
import {
  GetObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
  S3ServiceException,
} from '@aws-sdk/client-s3'
import { orAborted } from '../../zendesk/aborted.ts'
import type { Egress } from '../../zendesk/http.ts'
import { createRequestHandler } from './s3-http.ts'
import { CredentialsMissing, NotS3 } from './s3-trouble.ts'

export type StoreOptions = {
  readonly bucket: string
  readonly region: string
  /** None: AWS. */
  readonly endpoint?: string
  readonly pathStyle: boolean
  readonly egress: Egress
}

export type S3Credentials = {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly sessionToken?: string
}

/** One bucket, used with one set of credentials. Each method is one attempt: `signal` ends it. */
export type Store = {
  /** Creates an object where nothing stands; false when something does. */
  create(key: string, body: Uint8Array, contentType: string, signal: AbortSignal): Promise<boolean>
  /** At most `size` bytes of an object; fewer where it ends; undefined when it is not there. */
  read(key: string, from: number, size: number, signal: AbortSignal): Promise<Buffer | undefined>
  /** The first keys below `prefix` that come after the key `after`, in order. */
  list(prefix: string, after: string | undefined, signal: AbortSignal): Promise<Listing>
}
export type Listing = { readonly keys: readonly string[]; readonly more: boolean }

/** `open` makes a store of credentials, or without them of what the pod finds around it; all share connections. */
export function connectToS3({ bucket: Bucket, region, endpoint, pathStyle, egress }: StoreOptions) {
  const { handler, close } = createRequestHandler(egress)
  const open = (credentials: S3Credentials | undefined): Store => {
    const client = new S3Client({
      region,
      ...(endpoint !== undefined && { endpoint }),
      forcePathStyle: pathStyle,
      ...(credentials !== undefined && { credentials }),
      requestHandler: handler,
      // Whoever calls repeats: one place that waits, and says so.
      maxAttempts: 1,
      // Many stores that are not AWS refuse its new checksums, and the signature covers the body's SHA-256 anyway.
      requestChecksumCalculation: 'WHEN_REQUIRED',
      responseChecksumValidation: 'WHEN_REQUIRED',
      // undici knows no 100-continue.
      expectContinueHeader: false,
      customUserAgent: 'zendesk-connector',
    })
    /** Whatever fails in here is about credentials; the SDK keeps them until shortly before they expire. */
    const authenticate = async (signal: AbortSignal) => {
      const found = client.config.credentials().catch((cause: unknown) => {
        throw new CredentialsMissing(cause)
      })
      await orAborted(found, signal)
    }
    return {
      create: async (Key, Body, ContentType, abortSignal) => {
        await authenticate(abortSignal)
        // A bucket under Object Lock takes nothing without a checksum; MD5 is the one that all stores know.
        const ContentMD5 = hash('md5', Body, 'base64')
        const put = new PutObjectCommand({ Bucket, Key, Body, ContentType, ContentMD5, IfNoneMatch: '*' })
        const answer = await client.send(put, { abortSignal }).catch(ifIt(isTaken, undefined))
        if (answer === undefined) return false
        if (answer.ETag === undefined) throw new NotS3()
        return true
      },
      read: async (Key, from, size, abortSignal) => {
        await authenticate(abortSignal)
        const get = new GetObjectCommand({ Bucket, Key, Range: `bytes=${from}-${from + size - 1}` })
        const answer = await client
          .send(get, { abortSignal })
          .catch(ifIt(isBeyondItsEnd, 'beyond its end'))
          .catch(ifIt(isMissing, undefined))
        if (answer === undefined) return undefined
        if (answer === 'beyond its end') return Buffer.alloc(0)
        if (answer.ETag === undefined || answer.Body === undefined) throw new NotS3()
        const { buffer, byteOffset, byteLength } = await answer.Body.transformToByteArray()
        const bytes = Buffer.from(buffer, byteOffset, byteLength)
        // Not every store knows ranges, and then it sends everything.
        return answer.ContentRange === undefined ? bytes.subarray(from, from + size) : bytes
      },
      list: async (Prefix, StartAfter, abortSignal) => {
        await authenticate(abortSignal)
        const list = new ListObjectsV2Command({ Bucket, Prefix, ...(StartAfter !== undefined && { StartAfter }) })
        const { Contents = [], IsTruncated, Name } = await client.send(list, { abortSignal })
        if (Name === undefined) throw new NotS3()
        return { keys: Contents.flatMap(({ Key }) => (Key === undefined ? [] : [Key])), more: IsTruncated === true }
      },
    }
  }
  return { open, close }
}

const isTaken = ({ status }: Refused) => status === 412
const isBeyondItsEnd = ({ status }: Refused) => status === 416
/** By its name: a proxy's 404 says nothing about objects. */
const isMissing = ({ name }: Refused) => name === 'NoSuchKey'

type Refused = { readonly name: string; readonly status: number | undefined }

/** For a refusal that is an answer: what stands for it. All other errors pass. */
function ifIt<const T>(is: (refused: Refused) => boolean, answer: T): (error: unknown) => T {
  return (error) => {
    if (error instanceof S3ServiceException && is({ name: error.name, status: error.$metadata.httpStatusCode }))
      return answer
    throw error
  }
}
