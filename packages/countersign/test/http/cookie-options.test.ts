import { afterEach, describe, expect, test, vi } from 'vitest'
import { resolveCookies } from '../../src/http/cookie-options.ts'
import { handOut } from '../../src/http/deliver.ts'
import { expireCookie, expireEveryCookie, MAX_COOKIE_BYTES, setCookie } from '../../src/http/set-cookie.ts'
import { request as requestWith } from './request.ts'

const warned = vi.spyOn(process, 'emitWarning').mockImplementation(() => {})
afterEach(() => {
  warned.mockClear()
  vi.unstubAllEnvs()
})

test('by default both names have the prefix, and nothing warns', () => {
  const rules = resolveCookies()
  expect(setCookie('access', 'v', { names: rules })).toBe('__Host-access=v; Path=/; Secure; HttpOnly; SameSite=Lax')
  expect(setCookie('refresh', 'v', { names: rules })).toBe(
    '__Host-refresh=v; Path=/; Secure; HttpOnly; SameSite=Strict',
  )
  expect(warned).not.toHaveBeenCalled()
})

test('accessSameSite Strict', () => {
  const names = resolveCookies({ accessSameSite: 'Strict' })
  expect(setCookie('access', 'v', { names })).toMatch(/SameSite=Strict$/)
})

describe('unsafe', () => {
  test('shared with a domain: the prefix changes, and it warns', () => {
    const names = resolveCookies({ unsafeShareCookiesWithDomain: 'example.com' })
    expect(setCookie('access', 'v', { names })).toBe(
      '__Secure-access=v; Path=/; Domain=example.com; Secure; HttpOnly; SameSite=Lax',
    )
    expect(warned).toHaveBeenCalledTimes(1)
    // Both forms in which a browser may have it.
    expect(expireEveryCookie(names)).toEqual([
      '__Secure-access=; Path=/; Domain=example.com; Secure; HttpOnly; SameSite=Lax; Max-Age=0',
      '__Secure-refresh=; Path=/; Domain=example.com; Secure; HttpOnly; SameSite=Strict; Max-Age=0',
      '__Secure-access=; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=0',
      '__Secure-refresh=; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age=0',
    ])
  })

  test('without Secure: no prefix, a warning, and never in production', () => {
    const options = { unsafeAllowInsecureCookiesForDevelopment: true }
    const names = resolveCookies(options)
    expect(setCookie('access', 'v', { names })).toBe('access=v; Path=/; HttpOnly; SameSite=Lax')
    expect(expireCookie('refresh', names)).toBe('refresh=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0')
    expect(warned).toHaveBeenCalledTimes(1)
    vi.stubEnv('NODE_ENV', 'production')
    expect(() => resolveCookies(options)).toThrow(expect.objectContaining({ code: 'ERR_CONFIG_UNSAFE' }))
  })
})

test('former names are expired with ours, and never read', () => {
  const names = resolveCookies({ former: ['sid', '__Host-access'] })
  expect(expireEveryCookie(names).map((line) => line.split('=')[0])).toEqual(['__Host-access', '__Host-refresh', 'sid'])
})

test.each([
  [{ access: 'sid' }],
  [{ access: '__Host-' }],
  [{ access: '__Host-a', refresh: '__Host-a' }],
  [{ access: '__Secure-a' }],
  [{ access: '__Host-a;b' }],
  [{ accessSameSite: 'None' as never }],
  [{ unsafeShareCookiesWithDomain: 'com' }],
  [{ unsafeShareCookiesWithDomain: 'https://example.com' }],
  [{ unsafeShareCookiesWithDomain: 'example.com', access: '__Host-a' }],
  [{ unsafeAllowInsecureCookiesForDevelopment: true, access: '__Host-a' }],
  [{ former: ['a b'] }],
  [{ domain: 'example.com' } as never],
])('%o is no setting', (options) => {
  expect(() => resolveCookies(options)).toThrow(expect.objectContaining({ code: 'ERR_CONFIG_INVALID' }))
})

describe('the budget', () => {
  const session = { delivery: 'cookie', persistent: false, expiresAtMs: 1_000 } as const
  const issued = (access: number, refresh: number, rotation: 'first' | 'current' = 'first') => ({
    session,
    accessToken: 'a'.repeat(access),
    accessExpiresAtMs: 1_000,
    refreshToken: 'r'.repeat(refresh),
    refreshExpiresAtMs: 2_000,
    rotation,
  })
  const names = resolveCookies()
  const namesBytes = names.access.length + names.refresh.length
  const give = (one: ReturnType<typeof issued>) => handOut(one, { names, nowMs: 0 })

  test('is 4096 bytes for all cookies of a session together', () => {
    const most = MAX_COOKIE_BYTES - namesBytes - 200
    expect(give(issued(most, 200)).cookies).toHaveLength(2)
    expect(() => give(issued(most + 1, 200))).toThrow(expect.objectContaining({ code: 'ERR_COOKIE_TOO_LARGE' }))
  })

  test('also counts the one that the browser keeps', () => {
    const most = MAX_COOKIE_BYTES - namesBytes - 200
    expect(give(issued(most, 200, 'current')).cookies).toHaveLength(1)
    expect(() => give(issued(most + 1, 200, 'current'))).toThrow()
  })

  test('is of no concern to programs', () => {
    const one = issued(6_000, 200)
    const program = { ...one, session: { ...session, delivery: 'bearer' as const } }
    expect(handOut(program, { names, nowMs: 0 }).cookies).toEqual([])
  })
})

test('a login expires cookies that belong to no session any more', () => {
  const names = resolveCookies({ former: ['sid'] })
  const request = requestWith({ cookie: 'sid=1; __Host-access=x' })
  const issued = {
    session: { delivery: 'bearer', persistent: false, expiresAtMs: 1_000 },
    accessToken: 'a',
    accessExpiresAtMs: 1_000,
    rotation: 'first',
  } as const
  const { cookies } = handOut(issued, { names, nowMs: 0, request })
  expect(cookies.map((line) => line.split('=')[0])).toEqual(['__Host-access', '__Host-refresh', 'sid'])
})
