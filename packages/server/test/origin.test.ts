// Cross-site requests against every route that changes something.
import { request as httpRequest } from 'node:http'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { bearer, type Client, PASSWORD, startApp, type TestApp } from './support.ts'

let app: TestApp
let victim: Client
beforeAll(async () => {
  app = await startApp()
  victim = app.client()
  await victim.register('victim@example.com')
  await victim.login('victim@example.com')
})
afterAll(() => app.close())

const ROUTES = [
  ['POST', '/auth/register', { identifier: 'mallory@example.com', password: PASSWORD }],
  ['POST', '/auth/login', { identifier: 'victim@example.com', password: PASSWORD }],
  ['POST', '/auth/logout', undefined],
  ['POST', '/auth/refresh', undefined],
  ['POST', '/auth/reauth', { password: PASSWORD }],
  ['POST', '/auth/password', { currentPassword: PASSWORD, newPassword: 'another long enough sentence' }],
  ['POST', '/auth/sessions/revoke-all', {}],
  ['POST', '/auth/password/forgot', { identifier: 'victim@example.com' }],
  ['POST', '/auth/password/reset', { token: 'x', newPassword: PASSWORD }],
  ['POST', '/auth/email/verify', { token: 'x' }],
  ['POST', '/auth/email/verify/request', {}],
  ['DELETE', `/auth/sessions/${'A'.repeat(34)}`, undefined],
] as const

/** As browsers and programs send them; `ORIGIN` stands for our own. */
const FOREIGN: readonly (readonly [string, Record<string, string>])[] = [
  ['cross-site', { 'sec-fetch-site': 'cross-site', origin: 'https://evil.example' }],
  ['cross-site that claims our origin', { 'sec-fetch-site': 'cross-site', origin: 'ORIGIN' }],
  ['same-site', { 'sec-fetch-site': 'same-site', origin: 'http://127.0.0.1:1' }],
  ['a sandboxed frame', { origin: 'null' }],
  ['another port', { origin: 'http://127.0.0.1:1' }],
  ['localhost', { origin: 'http://localhost:PORT' }],
  ['another scheme', { origin: 'https://127.0.0.1:PORT' }],
  ['a foreign referer', { origin: '', referer: 'https://evil.example/ORIGIN' }],
]

describe.each(ROUTES)('%s %s', (method, path, body) => {
  const send = (headers: Record<string, string>, withCookies = true) => {
    const port = new URL(app.url).port
    const filled = Object.fromEntries(
      Object.entries(headers).map(([name, value]) => [name, value.replace('ORIGIN', app.url).replace('PORT', port)]),
    )
    return app.client(withCookies ? { cookie: victim.cookie } : {}).send(method, path, body, filled)
  }

  test.each(FOREIGN)('from %s: 403', async (_what, headers) => {
    for (const withCookies of [true, false]) {
      const answer = await send(headers, withCookies)
      expect([answer.status, answer.body.code, answer.body.reason]).toEqual([403, 'cross_origin', 'origin_foreign'])
      expect(answer.cookies).toEqual([])
      expect(answer.headers.get('vary')).toBe('Sec-Fetch-Site, Origin, Referer')
    }
  })

  test('saying nothing of its origin, with cookies: 403, also with a bearer token', async () => {
    for (const more of [{}, bearer('x')]) {
      const answer = await send({ origin: '', ...more })
      expect([answer.status, answer.body.reason]).toEqual([403, 'origin_unproven'])
    }
  })

  test('saying nothing, without cookies and without the delivery bearer: 403', async () => {
    const answer = await send({ origin: '' }, false)
    expect([answer.status, answer.body.reason]).toEqual([403, 'origin_unproven'])
  })

  test('a simple form of another site gets nowhere', async () => {
    for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data; boundary=x']) {
      const answer = await app
        .client({ cookie: victim.cookie, origin: 'https://evil.example' })
        .send(method, path, 'a=b', { 'content-type': type })
      expect(answer.status).toBe(403)
      const own = await app.client().send(method, path, 'a=b', { 'content-type': type })
      expect([own.status, own.body.code]).toEqual([415, 'unsupported_media_type'])
    }
  })

  test('after all that the victim is still logged in', async () => {
    expect((await victim.get('/auth/session')).status).toBe(200)
  })
})

test.each([
  ['same-origin', { 'sec-fetch-site': 'same-origin' }],
  ['none', { 'sec-fetch-site': 'none', origin: '' }],
  ['our origin alone', {}],
  ['our referer alone', { origin: '', referer: 'ORIGIN/page' }],
])('from ourselves (%s) it works', async (_what, headers) => {
  const filled = Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [name, value.replace('ORIGIN', app.url)]),
  )
  expect((await victim.post('/auth/refresh', undefined, filled as Record<string, string>)).status).toBe(200)
})

test('an access token of the delivery browser needs proof of origin, one of bearer does not', async () => {
  const page = await app.client().login('victim@example.com', { delivery: 'browser' })
  const program = app.client({ origin: '' })
  for (const [path, body] of [
    ['/auth/reauth', { password: PASSWORD }],
    ['/auth/sessions/revoke-all', { keepCurrent: true }],
    ['/auth/logout', undefined],
  ] as const) {
    const answer = await program.post(path, body, bearer(page.body.accessToken))
    expect([path, answer.status, answer.body.reason]).toEqual([path, 403, 'origin_unproven'])
  }
  const { body } = await program.login('victim@example.com', { delivery: 'bearer' })
  const reauth = await program.post('/auth/reauth', { password: PASSWORD }, bearer(body.accessToken))
  expect(reauth.status).toBe(200)
  expect((await program.post('/auth/logout', undefined, bearer(reauth.body.accessToken))).status).toBe(204)
})

test('safe methods change nothing', async () => {
  for (const method of ['GET', 'HEAD', 'OPTIONS']) {
    for (const path of ['/auth/logout', '/auth/refresh', '/auth/login', '/auth/sessions/revoke-all']) {
      const answer = await app.client({ cookie: victim.cookie }).send(method, path)
      // Beside the login itself there is its page.
      const isPage = path === '/auth/login' && method !== 'OPTIONS'
      expect([method, path, answer.status, answer.cookies.length]).toEqual([method, path, isPage ? 200 : 405, 0])
      expect(answer.headers.get('access-control-allow-origin')).toBeNull()
    }
  }
  expect((await victim.get('/auth/session')).status).toBe(200)
})

test('repeated header fields are refused, not merged or ignored', async () => {
  const status = (headers: string[]) =>
    new Promise<number>((resolve, reject) => {
      const outgoing = httpRequest(
        `${app.url}/auth/refresh`,
        { method: 'POST', headers: headers as never },
        (response) => {
          response.resume()
          resolve(response.statusCode!)
        },
      )
      outgoing.on('error', reject)
      outgoing.end()
    })
  const cookie = ['Cookie', victim.cookie]
  const host = ['Host', new URL(app.url).host, 'Content-Length', '0']
  expect(await status([...host, ...cookie, 'Origin', app.url])).toBe(200)
  expect(await status([...host, ...cookie, 'Origin', app.url, 'Origin', 'https://evil.example'])).toBe(403)
  expect(await status([...host, ...cookie, 'Sec-Fetch-Site', 'same-origin', 'Sec-Fetch-Site', 'cross-site'])).toBe(403)
  expect(await status([...host, ...cookie, ...cookie, 'Origin', app.url])).toBe(400)
  expect(await status([...host, 'Origin', app.url, 'Authorization', 'Bearer a', 'Authorization', 'Bearer b'])).toBe(400)
})
