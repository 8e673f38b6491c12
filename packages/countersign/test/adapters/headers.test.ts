// Every Set-Cookie and security header in every mode, each line with the rows of the requirements that it satisfies:
// headers.txt, for people to read. Another line there, or one without a row, fails.
import { allowlist, CountersignError, opaque } from 'countersign'
import type { AdapterSessions, StartedApp } from 'countersign/conformance'
import { countersign } from 'countersign/fetch'
import type { CookieOptions } from 'countersign/http'
import { createTestSessions } from 'countersign/testing'
import { afterAll, describe, expect, test, vi } from 'vitest'
import { optionsFor } from './apps/common.ts'
import { startExpress } from './apps/express.ts'
import { startFastify } from './apps/fastify.ts'
import { startFetch } from './apps/fetch.ts'
import { startHono } from './apps/hono.ts'
import { startKoa } from './apps/koa.ts'
import { startNodeHttp } from './apps/node-http.ts'

vi.spyOn(process, 'emitWarning').mockImplementation(() => {})
const ORIGIN = 'https://app.test'

/** Rows by header. Those of cookies go by what the line says. */
const ROWS: Readonly<Record<string, string>> = {
  allow: 'ASVS 4.1.4',
  'cache-control': 'ASVS 14.3.2, SM-13',
  'clear-site-data': 'ASVS 14.3.1',
  'content-security-policy': 'ASVS 3.2.1, 3.4.3, 3.4.6',
  'content-type': 'ASVS 4.1.1',
  'cross-origin-opener-policy': 'ASVS 3.4.8',
  'cross-origin-resource-policy': 'ASVS 3.5.8',
  location: 'ASVS 3.7.2',
  'referrer-policy': 'ASVS 3.4.5',
  'retry-after': 'ASVS 16.5.2',
  vary: 'CSRF-6',
  'www-authenticate': 'RFC 6750, RFC 9470 (4.2)',
  'x-content-type-options': 'ASVS 3.4.4',
}

function rowsOfCookie(line: string): string {
  const rows = [
    /; Secure/.test(line) && 'ASVS 3.3.1',
    /; SameSite=(?:Lax|Strict)/.test(line) && '3.3.2',
    line.startsWith('__Host-') && !/; Domain=/.test(line) && '3.3.3',
    /; HttpOnly/.test(line) && '3.3.4',
    /; Max-Age=0$/.test(line)
      ? '4.5 (deletion)'
      : /(?:access|refresh)=.*; Max-Age=/.test(line) && '7.1.1, C5 (stays when the browser is closed)',
  ]
  const lacks = [
    !/; Secure/.test(line) && 'not 3.3.1: unsafeAllowInsecureCookiesForDevelopment',
    /; Domain=/.test(line) && 'not 3.3.3: unsafeShareCookiesWithDomain',
  ]
  return [...rows, ...lacks].filter(Boolean).join(', ')
}

function describeAnswer(what: string, response: Response | undefined): string {
  if (!response) throw new Error(`${what}: nobody answered`)
  const lines = [`## ${what}: ${response.status}`]
  for (const cookie of response.headers.getSetCookie()) {
    const shown = cookie.replace(/=(?:cso_|csr_|ey)[^;]+/, '=<token>').replace(/^(__Host-form=)[^;]+/, '$1<random>')
    lines.push(`Set-Cookie: ${shown}  [${rowsOfCookie(cookie)}]`)
  }
  for (const [name, value] of response.headers) {
    if (name === 'set-cookie') continue
    const row = ROWS[name]
    if (row === undefined) throw new Error(`${what}: ${name} satisfies no row`)
    lines.push(`${name}: ${value.replace(/ +/g, ' ')}  [${row}]`)
  }
  return lines.join('\n')
}

async function setUp(strategy: 'allowlist' | 'opaque', cookies: CookieOptions = {}) {
  const made = await createTestSessions({
    strategy:
      strategy === 'opaque'
        ? opaque({ audience: 'https://api.test' })
        : allowlist<boolean>({ issuer: 'https://a', audience: 'https://api.test', refresh: true }),
    roles: ['user', 'admin'],
  } as never)
  const sessions = made.sessions as unknown as AdapterSessions
  const auth = countersign({
    ...optionsFor(sessions, () => [ORIGIN]),
    cookies,
    basePath: '/auth',
    reauthenticate: async () => ({ ok: true, acr: 'aal2', amr: ['otp'] }),
  })
  const send = async (method: string, path: string, headers: Record<string, string> = {}, body?: object) => {
    const all = {
      ...(method === 'POST' && { origin: ORIGIN }),
      ...(body && { 'content-type': 'application/json' }),
      ...headers,
    }
    const request = new Request(`${ORIGIN}${path}`, {
      method,
      headers: all,
      ...(body && { body: JSON.stringify(body) }),
    })
    const guarded = auth.guard(
      path === '/admin' ? { roles: ['admin'] } : path === '/strong' ? { acr: 'aal2' } : {},
      () => Response.json({}),
    )
    return (await auth.handle(request)) ?? guarded(request)
  }
  const login = (more: object = {}) => send('POST', '/auth/login', {}, { subject: 'somebody', ...more })
  const jarOf = (response: Response) =>
    response.headers
      .getSetCookie()
      .map((line) => line.split(';')[0])
      .filter((pair) => !pair!.endsWith('='))
      .join('; ')
  return { ...made, auth, send, login, jarOf }
}
const NAVIGATION = { 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document', 'sec-fetch-site': 'cross-site' }

test('headers.txt has every header in every mode, with its rows', async () => {
  const parts: string[] = [
    '# Every Set-Cookie and security header, with the rows of standards.md that it satisfies.',
    '',
  ]
  const say = async (what: string, response: Response | undefined | Promise<Response | undefined>) => {
    parts.push(describeAnswer(what, await response), '')
  }
  for (const strategy of ['allowlist', 'opaque'] as const) {
    const app = await setUp(strategy)
    for (const delivery of strategy === 'opaque' ? ['cookie', 'bearer'] : ['cookie', 'browser', 'bearer']) {
      await say(`${strategy}, login, ${delivery}`, app.login({ delivery }))
      if (delivery !== 'bearer')
        await say(`${strategy}, login, ${delivery}, persistent`, app.login({ delivery, persistent: true }))
    }
    const first = await app.login()
    const cookie = app.jarOf(first)
    await say(`${strategy}, refresh, at once`, app.send('POST', '/auth/refresh', { cookie }))
    app.clock.advance('11s')
    await say(`${strategy}, refresh`, app.send('POST', '/auth/refresh', { cookie }))
    await say(`${strategy}, reauth`, app.send('POST', '/auth/reauth', { cookie: app.jarOf(await app.login()) }))
    await say(
      `${strategy}, login over other cookies, bearer`,
      app.send('POST', '/auth/login', { cookie }, { subject: 'x', delivery: 'bearer' }),
    )
    await say(`${strategy}, logout`, app.send('POST', '/auth/logout', { cookie: app.jarOf(await app.login()) }))
    await app.sessions.close()
  }
  const app = await setUp('allowlist')
  const cookie = app.jarOf(await app.login())
  await say('guarded, let in', app.send('GET', '/me', { cookie }))
  await say('guarded, nobody', app.send('GET', '/me'))
  await say('guarded, garbage', app.send('GET', '/me', { authorization: 'Bearer garbage' }))
  await say('guarded, without the role', app.send('GET', '/admin', { cookie }))
  await say('guarded, too weak', app.send('GET', '/strong', { cookie }))
  await say('guarded, two cookies of one name', app.send('GET', '/me', { cookie: `${cookie}; __Host-access=x` }))
  await say('guarded, from another site', app.send('POST', '/change', { cookie, origin: 'https://evil.test' }))
  await say('page, nobody', app.send('GET', '/page', { ...NAVIGATION, 'sec-fetch-site': 'none' }))
  await say('page, link from elsewhere', app.send('GET', '/page', NAVIGATION))
  const form = { ...NAVIGATION, 'sec-fetch-site': 'same-origin', 'content-type': 'application/x-www-form-urlencoded' }
  const post = (headers: object) =>
    app.auth.handle(
      new Request(`${ORIGIN}/auth/refresh`, {
        method: 'POST',
        headers: { ...form, origin: ORIGIN, ...headers },
        body: 'returnTo=%2Fpage',
      }),
    )
  await say('page, the form of the bounce document', post({ cookie }))
  await say('page, the same without a session', post({}))
  await say('page, the script', app.send('GET', '/auth/bounce.js'))
  await say('another method', app.send('GET', '/auth/login'))
  const fault = new CountersignError('ERR_STORE_UNAVAILABLE', 'away')
  const away = countersign({
    ...optionsFor({ ...app.sessions, verifyNow: () => undefined, verify: () => Promise.reject(fault) } as never, () => [
      ORIGIN,
    ]),
  })
  await say('an outage', away.guard({}, () => Response.json({}))(new Request(`${ORIGIN}/me`, { headers: { cookie } })))
  const about = app.auth.of(new Request(`${ORIGIN}/form`))
  about.formToken()
  const request = new Request(`${ORIGIN}/form`)
  app.auth.of(request).formToken()
  await say(
    'form token of a browser without a session',
    app.auth.withCookies(request, new Response(null, { headers: { 'cache-control': 'no-store' } })),
  )
  await app.sessions.close()

  for (const [what, cookies] of [
    ['accessSameSite: Strict', { accessSameSite: 'Strict' }],
    ['former: [sid]', { former: ['sid'] }],
    ['unsafeShareCookiesWithDomain', { unsafeShareCookiesWithDomain: 'app.test' }],
    ['unsafeAllowInsecureCookiesForDevelopment', { unsafeAllowInsecureCookiesForDevelopment: true }],
  ] as const) {
    const other = await setUp('allowlist', cookies)
    const login = await other.login()
    await say(`${what}, login`, login)
    await say(`${what}, logout`, other.send('POST', '/auth/logout', { cookie: `${other.jarOf(login)}; sid=1` }))
    await other.sessions.close()
  }
  await expect(parts.join('\n')).toMatchFileSnapshot('headers.txt')
})

describe('on the wire', () => {
  const apps = {
    'node:http': startNodeHttp,
    express: startExpress,
    fastify: startFastify,
    fetch: startFetch,
    hono: startHono,
    koa: startKoa,
  }
  const started: StartedApp[] = []
  const closes: (() => Promise<void>)[] = []
  afterAll(async () => {
    for (const app of started) await app.close()
    for (const close of closes) await close()
  })

  test('every adapter writes the same fields', async () => {
    const seen = new Map<string, unknown>()
    for (const [name, start] of Object.entries(apps)) {
      const { sessions } = await createTestSessions({
        strategy: allowlist({ issuer: 'https://a', audience: 'https://b' }),
        roles: ['user', 'admin'],
      })
      closes.push(() => sessions.close())
      const app = await start(sessions as unknown as AdapterSessions, { strategy: 'allowlist', protocol: 'http1' })
      started.push(app)
      const send = async (method: string, path: string, headers: Record<string, string>, body?: object) => {
        const response = await fetch(app.origin + path, {
          method,
          headers: { ...headers, 'content-type': 'application/json' },
          redirect: 'manual',
          ...(body && { body: JSON.stringify(body) }),
        })
        await response.text()
        const fields = [...response.headers].filter(([field]) => field in ROWS && field !== 'content-type')
        const cookies = response.headers.getSetCookie().map((line) => line.replace(/=(?:ey|csr_)[^;]+/, '=<token>'))
        return {
          status: response.status,
          fields,
          cookies,
          jar: response.headers
            .getSetCookie()
            .map((line) => line.split(';')[0])
            .join('; '),
        }
      }
      const origin = { origin: app.origin }
      const login = await send('POST', '/login', origin, { subject: 'somebody' })
      const all = [
        login,
        await send('GET', '/me', { cookie: login.jar }),
        await send('GET', '/me', {}),
        await send('POST', '/change', { cookie: login.jar, origin: 'https://evil.test' }),
        await send('POST', '/logout', { ...origin, cookie: login.jar }),
      ]
      seen.set(
        name,
        all.map(({ status, fields, cookies }) => ({ status, fields, cookies })),
      )
    }
    const [first, ...others] = [...seen]
    for (const [name, fields] of others) expect([name, fields]).toEqual([name, first![1]])
  })
})
