import type { CountersignError } from 'countersign'
import {
  carriesCookies,
  expireCookie,
  MAX_COOKIE_BYTES,
  readCookies,
  resolveCookieNames,
  setCookie,
} from 'countersign/http'
import { describe, expect, test } from 'vitest'
import { request } from './request.ts'

const cookie = (text: string | string[]) => request({ cookie: text })
const codeOf = (make: () => unknown): string | undefined => {
  try {
    make()
  } catch (error) {
    return (error as CountersignError).code
  }
  return undefined
}

describe('readCookies', () => {
  test('finds ours among others, whatever the spacing', () => {
    expect(readCookies(cookie('a=1; __Host-access=AT;theme="x y";  __Host-refresh=RT ; b'))).toEqual({
      ok: true,
      access: 'AT',
      refresh: 'RT',
    })
    expect(readCookies(cookie('a=1'))).toEqual({ ok: true })
    expect(readCookies(request())).toEqual({ ok: true })
  })

  test('keeps "=" inside a value', () => {
    expect(readCookies(cookie('__Host-access=a=b=='))).toEqual({ ok: true, access: 'a=b==' })
  })

  test.each([
    ['two of the same name', '__Host-access=A; __Host-access=B'],
    ['two equal ones', '__Host-refresh=A; x=1; __Host-refresh=A'],
    ['split over two fields', ['__Host-access=A', '__Host-access=A']],
  ])('refuses %s', (_what, header) => {
    expect(readCookies(cookie(header))).toEqual({ ok: false, reason: 'duplicate_cookie', remedy: 'sign_in' })
  })

  test.each([
    ['an empty value', '__Host-access='],
    ['a name without a value', '__Host-access'],
    ['quotes', '__Host-access="AT"'],
    ['a control character', '__Host-access=A\u0001T'],
    ['a character that is not ASCII', '__Host-access=A\u00e9'],
    ['a comma', '__Host-access=A,B'],
    ['a backslash', '__Host-refresh=A\\B'],
  ])('refuses %s as malformed', (_what, header) => {
    expect(readCookies(cookie(header))).toMatchObject({ ok: false, reason: 'malformed' })
  })

  test.each([
    '__host-access=A',
    '__HOST-ACCESS=A',
    ' __Host-acces=A',
    '__Secure-access=A',
    'access=A',
    '=__Host-access=A',
  ])('takes %j for a cookie of somebody else', (header) => {
    expect(readCookies(cookie(header))).toEqual({ ok: true })
    expect(carriesCookies(cookie(header))).toBe(false)
  })

  test('a space that is not a blank belongs to the value', () => {
    expect(readCookies(cookie('__Host-access=A\u00a0'))).toMatchObject({ ok: false, reason: 'malformed' })
  })

  test('carriesCookies sees ours in whatever state', () => {
    for (const header of ['__Host-access', '__Host-refresh=\u0001', 'a=b; __Host-access=A; __Host-access=B']) {
      expect(carriesCookies(cookie(header))).toBe(true)
    }
    expect(carriesCookies(request())).toBe(false)
  })

  test('other names', () => {
    const names = resolveCookieNames({ access: '__Host-a', refresh: '__Host-r' })
    expect(readCookies(cookie('__Host-a=1; __Host-access=2; __Host-r=3'), names)).toEqual({
      ok: true,
      access: '1',
      refresh: '3',
    })
  })
})

describe('setCookie', () => {
  test('every Set-Cookie there is', () => {
    expect(setCookie('access', 'AT')).toMatchInlineSnapshot(
      `"__Host-access=AT; Path=/; Secure; HttpOnly; SameSite=Lax"`,
    )
    expect(setCookie('refresh', 'RT')).toMatchInlineSnapshot(
      `"__Host-refresh=RT; Path=/; Secure; HttpOnly; SameSite=Strict"`,
    )
    expect(setCookie('access', 'AT', { maxAgeSeconds: 604_800 })).toMatchInlineSnapshot(
      `"__Host-access=AT; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=604800"`,
    )
    expect(setCookie('refresh', 'RT', { maxAgeSeconds: 604_800.9 })).toMatchInlineSnapshot(
      `"__Host-refresh=RT; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age=604800"`,
    )
    expect(expireCookie('access')).toMatchInlineSnapshot(
      `"__Host-access=; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=0"`,
    )
    expect(expireCookie('refresh')).toMatchInlineSnapshot(
      `"__Host-refresh=; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age=0"`,
    )
  })

  test('400 days is the longest life', () => {
    expect(setCookie('refresh', 'RT', { maxAgeSeconds: 500 * 86_400 })).toContain('Max-Age=34560000')
  })

  test.each([Number.NaN, -1, Number.POSITIVE_INFINITY])('refuses %d seconds', (maxAgeSeconds) => {
    expect(codeOf(() => setCookie('access', 'AT', { maxAgeSeconds }))).toBe('ERR_INPUT_INVALID')
  })

  test.each(['', 'a;b', 'a b', 'a\r\nSet-Cookie: x=y', 'a\nb', 'a\0', '"a"', 'a,b', 'a\\b', '\u00e9', 'a\u2028b'])(
    'a value cannot break out: %j',
    (value) => {
      expect(codeOf(() => setCookie('access', value))).toBe('ERR_INPUT_INVALID')
    },
  )

  test('the value is not in the message', () => {
    expect(() => setCookie('access', 'canary\r\nx')).toThrow(/^(?!.*canary)/s)
  })

  test('4096 bytes of name and value, not one more', () => {
    const room = MAX_COOKIE_BYTES - '__Host-access'.length
    expect(setCookie('access', 'x'.repeat(room))).toContain('Secure')
    expect(codeOf(() => setCookie('access', 'x'.repeat(room + 1)))).toBe('ERR_COOKIE_TOO_LARGE')
  })
})

describe('resolveCookieNames', () => {
  test.each(['access', '__Secure-access', '__host-access', '__Host-', '__Host-a b', '__Host-a=b', '__Host-a\r\n', ''])(
    'refuses %j',
    (access) => {
      expect(codeOf(() => resolveCookieNames({ access }))).toBe('ERR_CONFIG_INVALID')
      const names = { access, refresh: '__Host-refresh' }
      expect(codeOf(() => setCookie('access', 'AT', { names }))).toBe('ERR_INPUT_INVALID')
    },
  )
  test('refuses one name for both', () => {
    expect(codeOf(() => resolveCookieNames({ access: '__Host-refresh' }))).toBe('ERR_CONFIG_INVALID')
  })
})
