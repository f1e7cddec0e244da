import fc from 'fast-check'
import { expect, test } from 'vitest'
import { checkpointName, connectorLabel, egressName, jobName, syncIdentityName } from '../../src/kube/names.ts'

const label = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/
const subdomain = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/
const connectorNames = fc.stringMatching(subdomain).filter((name) => name.length <= 253)
const longNames = fc
  .array(fc.constantFrom('a', '7', 'b-', 'c.', 'long-part'), { minLength: 20, maxLength: 25 })
  .map((parts) => `${parts.join('')}z`)
const names = fc.oneof(connectorNames, longNames)

test('the name of a Job is a DNS label of at most 63 characters', () => {
  fc.assert(
    fc.property(names, fc.uuid(), fc.nat(), (name, uid, slot) => {
      const job = jobName(name, uid, slot)
      expect(job).toMatch(label)
      expect(job.length).toBeLessThanOrEqual(63)
    }),
  )
})

test('each slot and each connector, also one created anew, has a Job name of its own', () => {
  const ofNames = [jobName('a.b', 'u', 1), jobName('a.b', 'u', 2), jobName('a.b', 'v', 1), jobName('a-b', 'w', 1)]
  expect(new Set(ofNames).size).toBe(4)
  expect(jobName('acme', 'u', 1)).toMatch(/^acme-[0-9a-f]{10}$/)
  expect(jobName('acme', 'u', 1)).toBe(jobName('acme', 'u', 1))
})

test('what belongs to a connector has names and labels that Kubernetes takes', () => {
  fc.assert(
    fc.property(names, (name) => {
      for (const owned of [checkpointName(name), syncIdentityName(name), egressName(name)]) {
        expect(owned).toMatch(subdomain)
        expect(owned.length).toBeLessThanOrEqual(253)
      }
      expect(connectorLabel(name)).toMatch(/^[a-z0-9]([-.a-z0-9]*[a-z0-9])?$/)
      expect(connectorLabel(name).length).toBeLessThanOrEqual(63)
    }),
  )
})
