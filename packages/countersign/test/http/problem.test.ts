import { CountersignError, type RefusalReason, type Refused } from 'countersign'
import {
  FAULT_ANSWERS,
  problem,
  problemOf,
  problemOfFault,
  REFUSAL_ANSWERS,
  refuseRequest,
  TITLES,
} from 'countersign/http'
import { describe, expect, test } from 'vitest'

const refused = (reason: RefusalReason, more: Partial<Refused> = {}): Refused => ({
  ok: false,
  reason,
  remedy: 'sign_in',
  ...more,
})
const realm = 'Bearer realm="countersign"'

describe('problemOf', () => {
  test('every refused token: 401, invalid_token in header and code, the reason in the body', () => {
    const reasons = [
      'claim_mismatch',
      'not_yet_valid',
      'expired',
      'expired_idle',
      'expired_absolute',
      'ended',
      'superseded',
    ] as const
    for (const reason of [...reasons, 'reused', 'rolled_back', 'unknown'] as const) {
      const { status, headers, body } = problemOf(refused(reason))
      expect(status).toBe(401)
      expect(headers['www-authenticate']).toBe(`${realm}, error="invalid_token"`)
      expect(body).toMatchObject({ status: 401, code: 'invalid_token', reason, remedy: 'sign_in' })
    }
  })

  test.each(['malformed', 'bad_signature'] as const)('%s: the body says only invalid_token', (reason) => {
    const { headers, body } = problemOf(refused(reason))
    expect(headers['www-authenticate']).toBe(`${realm}, error="invalid_token"`)
    expect(body).toEqual({
      type: 'urn:countersign:problem:invalid_token',
      title: TITLES.invalid_token,
      status: 401,
      code: 'invalid_token',
    })
  })

  test('no credential: a challenge without an error', () => {
    const { status, headers, body } = problemOf(refused('missing'))
    expect([status, headers['www-authenticate'], body.code]).toEqual([401, realm, 'unauthenticated'])
  })

  test('endedBy and remedy are passed on', () => {
    expect(problemOf(refused('ended', { endedBy: 'replaced', remedy: 'refresh' })).body).toMatchObject({
      reason: 'ended',
      endedBy: 'replaced',
      remedy: 'refresh',
    })
  })

  test('step-up (RFC 9470)', () => {
    const demand = { acrValues: ['aal2', 'aal3'], maxAgeSeconds: 600 }
    const { status, headers, body } = problemOf(refused('insufficient_authentication', { remedy: 'step_up' }), demand)
    expect(status).toBe(401)
    expect(headers['www-authenticate']).toBe(
      `${realm}, error="insufficient_user_authentication", acr_values="aal2 aal3", max_age="600"`,
    )
    expect(body).toMatchObject({ code: 'insufficient_user_authentication', remedy: 'step_up' })
  })

  test('roles: 403 insufficient_scope', () => {
    const { status, headers } = problemOf(refused('forbidden', { remedy: 'none' }), { scope: ['admin'], realm: 'shop' })
    expect([status, headers['www-authenticate']]).toEqual([
      403,
      'Bearer realm="shop", error="insufficient_scope", scope="admin"',
    ])
  })

  test.each(['credential_twice', 'authorization_malformed'] as const)('%s: 400 invalid_request', (reason) => {
    const { status, headers, body } = problemOf(refuseRequest(reason))
    expect([status, headers['www-authenticate'], body.reason]).toEqual([
      400,
      `${realm}, error="invalid_request"`,
      reason,
    ])
  })

  test.each(['origin_foreign', 'origin_unproven'] as const)('%s: 403 without a challenge', (reason) => {
    const { status, headers, body } = problemOf(refuseRequest(reason))
    expect([status, headers['www-authenticate'], body.code]).toEqual([403, undefined, 'cross_origin'])
  })

  test.each(['a"b', 'a\\b', 'a\r\nSet-Cookie: x=y', 'a\u00e9', 'a\0'])(
    'a challenge cannot be broken out of: %j',
    (value) => {
      const invalid = expect.objectContaining({ code: 'ERR_INPUT_INVALID' })
      expect(() => problemOf(refused('missing'), { realm: value })).toThrow(invalid)
      expect(() => problemOf(refused('insufficient_authentication'), { acrValues: [value] })).toThrow(invalid)
      expect(() => problemOf(refused('forbidden'), { scope: [value] })).toThrow(invalid)
    },
  )

  test('every answer is problem+json, is not kept by caches and sets no cookie', () => {
    for (const reason of Object.keys(REFUSAL_ANSWERS) as RefusalReason[]) {
      const { status, headers, body } = problemOf(refused(reason))
      expect(headers).toMatchObject({
        'content-type': 'application/problem+json; charset=utf-8',
        'cache-control': 'no-store',
      })
      expect(Object.keys(headers)).not.toContain('set-cookie')
      expect(body).toMatchObject({ type: `urn:countersign:problem:${body.code}`, status })
      expect(body.title).toBe(TITLES[body.code])
      // RFC 9110 section 15.5.2.
      if (status === 401) expect(headers['www-authenticate']).toMatch(/^Bearer realm=/)
    }
  })
})

describe('problemOfFault', () => {
  test.each(Object.entries(FAULT_ANSWERS))('%s is never 401 and never a cookie', (code, expected) => {
    const answer = problemOfFault(new CountersignError(code as 'ERR_BUSY', 'canary', { cause: new Error('canary') }))
    expect(answer.status).toBe(expected.status)
    expect(answer.status).not.toBe(401)
    expect(answer.body.code).toBe(expected.code)
    expect(TITLES[answer.body.code]).toBeTypeOf('string')
    expect(Object.keys(answer.headers)).not.toContain('set-cookie')
    // Only what the caller did wrong is explained.
    if (answer.status !== 400 && answer.status !== 413) expect(JSON.stringify(answer)).not.toContain('canary')
  })

  test.each(['ERR_STORE_UNAVAILABLE', 'ERR_STORE_TIMEOUT', 'ERR_CLOSED', 'ERR_BUSY'] as const)(
    '%s: 503 with Retry-After',
    (code) => {
      const { status, headers } = problemOfFault(new CountersignError(code, 'x'))
      expect([status, Number(headers['retry-after']) >= 1]).toEqual([503, true])
    },
  )

  test.each([
    new Error('canary'),
    new TypeError('canary'),
    'canary',
    null,
    undefined,
    { code: 'ERR_BUSY', message: 'canary' },
  ])('anything else: 500 and nothing of it (%#)', (thrown) => {
    const answer = problemOfFault(thrown)
    expect(answer.body).toEqual({
      type: 'urn:countersign:problem:internal_error',
      title: TITLES.internal_error,
      status: 500,
      code: 'internal_error',
    })
    expect(JSON.stringify(answer)).not.toContain('canary')
  })
})

test('problem() takes codes of others', () => {
  expect(problem(418, 'teapot', { title: 'I am a teapot', detail: 'short and stout' }, { 'x-a': 'b' })).toMatchObject({
    status: 418,
    headers: { 'x-a': 'b' },
    body: {
      type: 'urn:countersign:problem:teapot',
      title: 'I am a teapot',
      status: 418,
      code: 'teapot',
      detail: 'short and stout',
    },
  })
})
