import { checkOrigin, originEvidence, resolveOrigins } from 'countersign/http'
import { describe, expect, test } from 'vitest'
import { request } from './request.ts'

const ours = 'https://app.example.com'
const origins = resolveOrigins([ours, 'http://127.0.0.1:8080'])

const SITES = ['same-origin', 'none', 'same-site', 'cross-site', 'nonsense', ''] as const
const METHODS = ['GET', 'HEAD', 'OPTIONS', 'POST', 'PUT', 'PATCH', 'DELETE', 'QUERY'] as const
/** How the credential travels. */
const MODES = {
  'our cookies': { ourCookies: true, bearer: false },
  'our cookies and bearer': { ourCookies: true, bearer: true },
  bearer: { ourCookies: false, bearer: true },
  neither: { ourCookies: false, bearer: false },
} as const

describe('the table of site × method × mode (CSRF-3)', () => {
  for (const site of SITES) {
    for (const method of METHODS) {
      for (const [mode, facts] of Object.entries(MODES)) {
        const isSafe = method === 'GET' || method === 'HEAD' || method === 'OPTIONS'
        const allowed = isSafe || site === 'same-origin' || site === 'none'
        test(`${site || '(empty)'} ${method} ${mode}: ${allowed ? 'allowed' : 'refused'}`, () => {
          const done = checkOrigin(request({ 'sec-fetch-site': site }, method), { origins, ...facts })
          expect(done).toEqual(allowed ? { ok: true } : { ok: false, reason: 'origin_foreign', remedy: 'none' })
        })
      }
    }
  }
})

describe('without Fetch Metadata (CSRF-4)', () => {
  test.each([
    ['our origin', { origin: ours }, 'ours'],
    ['our other origin', { origin: 'http://127.0.0.1:8080' }, 'ours'],
    ['null', { origin: 'null' }, 'foreign'],
    ['null with our referer', { origin: 'null', referer: `${ours}/x` }, 'foreign'],
    ['another scheme', { origin: 'http://app.example.com' }, 'foreign'],
    ['another port', { origin: `${ours}:444` }, 'foreign'],
    ['a longer host', { origin: `${ours}.evil.example` }, 'foreign'],
    ['a host that ends like ours', { origin: 'https://evil-app.example.com' }, 'foreign'],
    ['a sibling', { origin: 'https://www.example.com' }, 'foreign'],
    ['the parent', { origin: 'https://example.com' }, 'foreign'],
    ['localhost for 127.0.0.1', { origin: 'http://localhost:8080' }, 'foreign'],
    ['a path', { origin: `${ours}/` }, 'foreign'],
    ['an empty text', { origin: '' }, 'foreign'],
    ['two of them', { origin: [ours, ours] }, 'foreign'],
    ['our referer', { referer: `${ours}/some/page?q=1` }, 'ours'],
    ['our referer without a path', { referer: ours }, 'ours'],
    ['a foreign referer that names us', { referer: `https://evil.example/?${ours}` }, 'foreign'],
    ['a referer with us as user', { referer: 'https://app.example.com@evil.example/' }, 'foreign'],
    ['a referer that is no address', { referer: 'about:blank' }, 'foreign'],
    ['an unreadable referer', { referer: '%%%' }, 'foreign'],
    ['two referers', { referer: [`${ours}/a`, `${ours}/b`] }, 'foreign'],
    ['nothing', {}, 'unknown'],
  ] as const)('%s', (_what, headers, expected) => {
    expect(originEvidence(request(headers as Record<string, string>), origins)).toBe(expected)
  })

  test('the first evidence that is there decides', () => {
    expect(originEvidence(request({ 'sec-fetch-site': 'cross-site', origin: ours }), origins)).toBe('foreign')
    expect(originEvidence(request({ 'sec-fetch-site': 'same-origin', origin: 'https://evil.example' }), origins)).toBe(
      'ours',
    )
    expect(originEvidence(request({ origin: 'https://evil.example', referer: `${ours}/` }), origins)).toBe('foreign')
    expect(originEvidence(request({ 'sec-fetch-site': ['same-origin', 'cross-site'] }), origins)).toBe('foreign')
  })

  test.each([
    ['our cookies', true, true, false],
    ['our cookies and no bearer', true, false, false],
    ['neither', false, false, false],
    ['bearer alone', false, true, true],
  ] as const)('a request that says nothing, with %s', (_what, ourCookies, bearer, allowed) => {
    const done = checkOrigin(request({}), { origins, ourCookies, bearer })
    expect(done).toEqual(allowed ? { ok: true } : { ok: false, reason: 'origin_unproven', remedy: 'none' })
  })
})

describe('resolveOrigins', () => {
  test('as browsers send them', () => {
    expect(resolveOrigins(['https://App.Example.com:443', 'http://[::1]:8080/'])).toEqual([ours, 'http://[::1]:8080'])
  })
  test.each([
    'null',
    '*',
    'https://*.example.com/x',
    'app.example.com',
    'https://a.example/path',
    'ftp://a.example',
    'https://u:p@a.example',
    '',
  ])('refuses %j', (text) => {
    expect(() => resolveOrigins([text])).toThrow(expect.objectContaining({ code: 'ERR_CONFIG_INVALID' }))
  })
})
