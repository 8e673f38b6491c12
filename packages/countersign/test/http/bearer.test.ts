import { findCredentials, readBearer } from 'countersign/http'
import { describe, expect, test } from 'vitest'
import { request } from './request.ts'

const malformed = { ok: false, reason: 'authorization_malformed', remedy: 'none' }

describe('readBearer', () => {
  test.each(['Bearer abc.DEF-_~+/==', 'bearer abc.DEF-_~+/==', 'BEARER   abc.DEF-_~+/=='])('%s', (authorization) => {
    expect(readBearer(request({ authorization }))).toEqual({ ok: true, token: 'abc.DEF-_~+/==' })
  })

  test.each(['Basic YTpi', 'DPoP abc', 'BearerX abc', 'abc'])('%s is of another scheme', (authorization) => {
    expect(readBearer(request({ authorization }))).toEqual({ ok: true })
  })

  test.each([
    'Bearer',
    'Bearer ',
    'Bearer a b',
    'Bearer a, Bearer b',
    'Bearer "a"',
    'Bearer a=b',
    'Bearer\ta',
    'Bearer a\r\nx: y',
    'Bearer é',
  ])('%j is refused', (authorization) => {
    expect(readBearer(request({ authorization }))).toEqual(malformed)
  })

  test('a repeated field is refused, even with the same token', () => {
    expect(readBearer(request({ authorization: ['Bearer a', 'Bearer a'] }))).toEqual(malformed)
    expect(readBearer(request({ authorization: ['Bearer a'] }))).toEqual({ ok: true, token: 'a' })
  })
})

describe('findCredentials', () => {
  const cookie = '__Host-access=A; __Host-refresh=R'
  const twice = { ok: false, reason: 'credential_twice', remedy: 'none' }

  test('from cookies', () => {
    expect(findCredentials(request({ cookie }))).toEqual({
      ok: true,
      access: { token: 'A', from: 'cookie' },
      refresh: { token: 'R', from: 'cookie' },
    })
  })
  test('from the header and the refresh cookie, as the delivery browser has it', () => {
    expect(findCredentials(request({ authorization: 'Bearer H', cookie: '__Host-refresh=R' }))).toEqual({
      ok: true,
      access: { token: 'H', from: 'header' },
      refresh: { token: 'R', from: 'cookie' },
    })
  })
  test('from header and body, as the delivery bearer has it', () => {
    expect(findCredentials(request({ authorization: 'Bearer H' }), { refreshToken: 'B' })).toEqual({
      ok: true,
      access: { token: 'H', from: 'header' },
      refresh: { token: 'B', from: 'body' },
    })
  })
  test('none', () => {
    expect(findCredentials(request())).toEqual({ ok: true })
  })
  test('the same one by two ways is refused, even when both are equal', () => {
    expect(findCredentials(request({ authorization: 'Bearer A', cookie }))).toEqual(twice)
    expect(findCredentials(request({ cookie }), { refreshToken: 'R' })).toEqual(twice)
  })
  test('what is wrong with a part is wrong with the whole', () => {
    expect(findCredentials(request({ authorization: 'Bearer' }))).toEqual(malformed)
    expect(findCredentials(request({ cookie: `${cookie}; __Host-access=A` }))).toMatchObject({
      reason: 'duplicate_cookie',
    })
  })
})
