import fc from 'fast-check'
import { PbfWriter } from 'pbf'
import { expect, test } from 'vitest'
import { isKubeError } from '../../src/kube/errors.ts'
import { readFrame } from '../../src/kube/frame.ts'
import { keepJob } from '../../src/kube/kept.ts'
import { lengthDelimited } from '../../src/kube/length-delimited.ts'
import { decodeEvent, JOB, POD } from '../../src/kube/messages.ts'

/** As the API server frames it. */
function framed(bodies: readonly Uint8Array[]): Buffer {
  return Buffer.concat(
    bodies.flatMap((body) => {
      const length = Buffer.alloc(4)
      length.writeUInt32BE(body.length)
      return [length, body]
    }),
  )
}

function anEvent(type: string, kind: string, write: (object: PbfWriter) => void): Buffer {
  const object = new PbfWriter()
  write(object)
  const envelope = new PbfWriter()
  envelope.writeMessage(1, (typeMeta, into: PbfWriter) => into.writeStringField(2, typeMeta), kind)
  envelope.writeBytesField(2, object.finish())
  const event = new PbfWriter()
  event.writeStringField(1, type)
  const stored = Buffer.concat([Buffer.from('k8s\0'), envelope.finish()])
  event.writeMessage(2, (raw, into: PbfWriter) => into.writeBytesField(1, raw), stored)
  return Buffer.from(event.finish())
}

test('frames are found wherever the chunks are cut', () => {
  const bodies = fc.array(fc.uint8Array({ maxLength: 300 }))
  fc.assert(
    fc.property(bodies, fc.array(fc.nat(50)), (given, sizes) => {
      const read: Uint8Array[] = []
      const take = lengthDelimited((frame) => read.push(Uint8Array.from(frame)))
      const bytes = framed(given)
      let at = 0
      for (const size of [...sizes, bytes.length]) {
        take(bytes.subarray(at, at + size))
        at += size
      }
      expect(read).toEqual(given)
    }),
  )
})

test('a length that no object has is not waited for', () => {
  const take = lengthDelimited(() => {})
  expect(() => take(Buffer.from('HTTP/1.1 500'))).toThrow(expect.objectContaining({ reason: 'Malformed' }))
})

test('whatever comes in place of an event is an event or Malformed, and nothing else', () => {
  const good = anEvent('ADDED', 'Job', (job) => {
    job.writeMessage(1, (name, into: PbfWriter) => into.writeStringField(1, name), 'acme-sync-7')
  })
  expect(decodeEvent(JOB, good)).toEqual({ type: 'ADDED', object: { metadata: { name: 'acme-sync-7' } } })
  const cut = fc.nat(good.length - 1).map((length) => good.subarray(0, length))
  const changed = fc.tuple(fc.nat(good.length - 1), fc.nat(255)).map(([at, value]) => {
    const bytes = Buffer.from(good)
    bytes[at] = value
    return bytes
  })
  fc.assert(
    fc.property(
      fc.oneof(
        fc.uint8Array({ maxLength: 200 }).map((any) => Buffer.from(any)),
        cut,
        changed,
      ),
      (bytes) => {
        try {
          decodeEvent(POD, bytes)
        } catch (error) {
          expect(isKubeError(error, 'Malformed')).toBe(true)
          expect(String(error)).not.toContain('acme')
        }
      },
    ),
    { numRuns: 2000 },
  )
  fc.assert(
    fc.property(cut, (bytes) => {
      expect(() => decodeEvent(JOB, bytes)).toThrow(/not Kubernetes protobuf/)
    }),
  )
})

test('an event that stands for an error is that error', () => {
  const gone = anEvent('ERROR', 'Status', (status) => {
    status.writeStringField(3, 'too old resource version')
    status.writeStringField(4, 'Expired')
    status.writeVarintField(6, 410)
  })
  expect(() => readFrame(decodeEvent(JOB, gone))).toThrow(expect.objectContaining({ reason: 'Gone', status: 410 }))
})

test('the end of a stream of objects is told by a bookmark', () => {
  const bookmark = anEvent('BOOKMARK', 'Pod', (pod) => {
    pod.writeMessage(
      1,
      (version, metadata: PbfWriter) => {
        metadata.writeStringField(6, version)
        metadata.writeMessage(8, () => {}, undefined)
        metadata.writeMessage(
          12,
          (key, entry: PbfWriter) => {
            entry.writeStringField(1, key)
            entry.writeStringField(2, 'true')
          },
          'k8s.io/initial-events-end',
        )
      },
      '4711',
    )
  })
  expect(readFrame(decodeEvent(POD, bookmark))).toEqual({ what: 'bookmark', version: '4711', allSent: true })
})

test('a time that no calendar has is the fault of its object, which can still be told by name', () => {
  const strange = anEvent('MODIFIED', 'Job', (job) => {
    job.writeMessage(1, (name, into: PbfWriter) => into.writeStringField(1, name), 'acme-sync-7')
    job.writeMessage(
      3,
      (seconds, status: PbfWriter) => {
        status.writeMessage(3, (value, time: PbfWriter) => time.writeVarintField(1, value), seconds)
      },
      1e13,
    )
  })
  const event = decodeEvent(JOB, strange)
  expect(event).toMatchObject({ object: { metadata: { name: 'acme-sync-7' } } })
  expect(() => keepJob(Reflect.get(event as object, 'object'))).toThrow(/completionTime/)
})

test('text is what it was, with a byte order mark and without', () => {
  const texts = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.string({ unit: 'binary' }).map((text) => `\ufeff${text}`),
  )
  fc.assert(
    fc.property(texts, (text) => {
      const event = anEvent('ADDED', 'Pod', (pod) => {
        pod.writeMessage(3, (message, status: PbfWriter) => status.writeBytesField(3, Buffer.from(message)), text)
      })
      expect(decodeEvent(POD, event)).toEqual({ type: 'ADDED', object: { status: { message: text.toWellFormed() } } })
    }),
  )
})
