import { inspect } from 'node:util'
import { describe, expect, test } from 'vitest'
import { fromAnswer, fromExchange, isKubeError, KubeError } from '../../src/kube/errors.ts'

const canary = 'c4n4ry-s3cret'
const everything = (error: unknown) => inspect(error, { depth: null, showHidden: true }) + JSON.stringify(error)

describe('an answer of the API server becomes a KubeError', () => {
  test.each([
    [404, { reason: 'NotFound' }, 'NotFound'],
    [409, { reason: 'AlreadyExists' }, 'AlreadyExists'],
    [409, { reason: 'Conflict' }, 'Conflict'],
    [410, { reason: 'Expired' }, 'Gone'],
    [403, { reason: 'Forbidden' }, 'Forbidden'],
    [500, { reason: 'InternalError' }, 'Unavailable'],
    [504, { reason: 'Timeout' }, 'Timeout'],
    [418, undefined, 'Other'],
  ])('%i %o is %s', (status, body, reason) => {
    expect(fromAnswer(status, body)).toMatchObject({ name: 'KubeError', status, reason })
  })

  test('an ERROR event of a watch carries its own code', () => {
    expect(fromAnswer(500, { code: 410, reason: 'Expired', message: 'too old' })).toMatchObject({
      reason: 'Gone',
      status: 410,
      message: 'too old',
    })
  })

  test("the server's message is cut to 300 characters", () => {
    expect(fromAnswer(403, { reason: 'Forbidden', message: 'x'.repeat(1000) }).message).toHaveLength(300)
  })

  test.each([
    [`Invalid value: "${canary}": must be shorter`, 'must be shorter'],
    [`Invalid value: "a \\" b ${canary}": must be shorter`, 'must be shorter'],
    [`Invalid value: {"env":[{"value":"${canary}"}]}: field is immutable`, 'field is immutable'],
    [`Invalid value: core.PodTemplateSpec{Env:"${canary}"}: field is immutable`, 'invalid value'],
    [`Duplicate value: "${canary}"`, 'Duplicate value'],
    ['Invalid value: 5000: must be at most 2500', 'must be at most 2500'],
    ['Required value', 'Required value'],
  ])('of %s only what is wrong is told', (message, told) => {
    const body = {
      reason: 'Invalid',
      message: `Job "a" is invalid: spec: ${message}`,
      details: { kind: 'Job', name: 'a', causes: [{ field: 'spec', message }] },
    }
    const error = fromAnswer(422, body)
    expect(error.message).toBe(`Job a is invalid: spec: ${told}`)
    expect(everything(error)).not.toContain(canary)
  })

  test.each([
    ['1', 1_000],
    ['30', 30_000],
    ['86400', 60_000],
    [undefined, 0],
    ['Wed, 21 Oct 2026 07:28:00 GMT', 0],
    [['1', '2'], 0],
  ])('it says for how long the server asks to be left alone, a minute at most: %s', (header, wait) => {
    expect(fromAnswer(429, { reason: 'TooManyRequests' }, header).retryAfterMs).toBe(wait)
  })

  test('a body that is no Status is not quoted', () => {
    expect(everything(fromAnswer(502, undefined))).not.toContain(canary)
    expect(everything(fromAnswer(502, `<html>${canary}</html>`))).not.toContain(canary)
    expect(everything(fromAnswer(502, { message: { nested: canary } }))).not.toContain(canary)
  })
})

describe('a failed exchange becomes a KubeError', () => {
  test.each([
    [Object.assign(new Error(canary), { code: 'ECONNREFUSED' }), 'Network'],
    [Object.assign(new Error(canary), { code: 'UND_ERR_BODY_TIMEOUT' }), 'Timeout'],
    [Object.assign(new Error(canary), { code: 'ETIMEDOUT' }), 'Timeout'],
    [new DOMException(canary, 'TimeoutError'), 'Timeout'],
    [new Error(`exec plugin: ${canary}`), 'Network'],
    [canary, 'Network'],
    [undefined, 'Network'],
  ])('%o is %s and quotes nothing', (cause, reason) => {
    const error = fromExchange(cause, false)
    expect(error.reason).toBe(reason)
    expect(everything(error)).not.toContain(canary)
  })

  test("the caller's abort is told apart", () => {
    expect(fromExchange(new DOMException('x', 'AbortError'), true).reason).toBe('Aborted')
  })
})

test('reasons are compared by isKubeError', () => {
  const error = new KubeError('NotFound', 'gone', 404)
  expect(isKubeError(error, 'Gone', 'NotFound')).toBe(true)
  expect(isKubeError(error, 'Conflict')).toBe(false)
  expect(isKubeError(new Error('x'), 'NotFound')).toBe(false)
})
