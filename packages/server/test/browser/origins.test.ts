/// <reference lib="dom" />
/**
 * A real browser, three origins: the server's own, a cross-site one (`localhost` against `127.0.0.1`) and a same-site one
 * (another port). What works in the first must be refused from the others, whatever a page can send.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type ServerProcess, startServer } from '../../../../tools/test-support/server-process.ts'

const IDENTIFIER = 'bob@example.test'
const PASSWORD = 'violet harbour teapot 91'

let dir: string
let server: ServerProcess
let browser: Browser
/** A page of somebody else's, reachable as `localhost` and as `127.0.0.1`. */
let foreign: Server
let origins: { own: string; sameSite: string; crossSite: string }

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'countersign-browser-'))
  server = await startServer(['--data', join(dir, 'data'), '--log-level', 'info'])
  foreign = createServer((_request, response) => response.setHeader('content-type', 'text/html').end('<p>foreign</p>'))
  await new Promise<void>((resolve) => foreign.listen(0, '127.0.0.1', resolve))
  const port = (foreign.address() as AddressInfo).port
  origins = { own: server.url, sameSite: `http://127.0.0.1:${port}`, crossSite: `http://localhost:${port}` }
  expect(new URL(server.url).hostname).toBe('127.0.0.1')
  browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking', '--disable-component-update'],
  })
})
afterAll(async () => {
  await browser?.close()
  await server?.stop()
  foreign?.close()
  if (dir) await rm(dir, { recursive: true, force: true })
})

interface Sent {
  readonly status: number
  readonly body: any
}
/** `fetch` from inside the page. A request that the browser itself refuses has status 0. */
function send(page: Page, url: string, init: object = {}): Promise<Sent> {
  return page.evaluate(
    async ([target, options]) => {
      try {
        const response = await fetch(target as string, options as RequestInit)
        const text = await response.text()
        return { status: response.status, body: text.startsWith('{') ? JSON.parse(text) : text }
      } catch {
        return { status: 0, body: null }
      }
    },
    [url, init] as const,
  )
}
const json = (body: object) => ({
  method: 'POST',
  credentials: 'include',
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify(body),
})
const refreshCookie = async (context: BrowserContext) =>
  (await context.cookies()).find((cookie) => cookie.name === '__Host-refresh')

/** Everything in which a script of the page could find a token. */
const whatScriptsSee = (page: Page): Promise<string> =>
  page.evaluate(() =>
    JSON.stringify([
      { ...localStorage },
      { ...sessionStorage },
      document.cookie,
      location.href,
      document.documentElement.outerHTML,
    ]),
  )

describe('a page of the server’s own origin', () => {
  test.each(['cookie', 'browser'] as const)(
    'logs in, refreshes and logs out with delivery %s; no token where scripts look',
    async (delivery) => {
      const context = await browser.newContext()
      const page = await context.newPage()
      await page.goto(`${origins.own}/`)
      const secrets: string[] = []
      const registered = await send(
        page,
        '/auth/register',
        json({ identifier: `${delivery}.${IDENTIFIER}`, password: PASSWORD }),
      )
      expect(registered.status).toBe(201)
      const login = await send(
        page,
        '/auth/login',
        json({ identifier: `${delivery}.${IDENTIFIER}`, password: PASSWORD, delivery }),
      )
      expect(login.status).toBe(200)
      expect(typeof login.body.accessToken).toBe(delivery === 'browser' ? 'string' : 'undefined')
      expect(login.body.refreshToken).toBeUndefined()
      if (login.body.accessToken) secrets.push(login.body.accessToken)

      const cookies = await context.cookies()
      expect(cookies.map((cookie) => cookie.name).sort()).toEqual(
        delivery === 'cookie' ? ['__Host-access', '__Host-refresh'] : ['__Host-refresh'],
      )
      for (const cookie of cookies) {
        expect(cookie).toMatchObject({ httpOnly: true, secure: true, path: '/', domain: '127.0.0.1', expires: -1 })
        expect(cookie.sameSite).toBe(cookie.name === '__Host-access' ? 'Lax' : 'Strict')
        secrets.push(cookie.value)
      }
      const authorization = login.body.accessToken
        ? { headers: { authorization: `Bearer ${login.body.accessToken}` } }
        : {}
      expect((await send(page, '/auth/session', authorization)).status).toBe(200)
      const refreshed = await send(page, '/auth/refresh', { method: 'POST' })
      expect(refreshed.status).toBe(200)
      if (refreshed.body.accessToken) secrets.push(refreshed.body.accessToken)
      const seen = await whatScriptsSee(page)
      expect(secrets.length).toBeGreaterThan(1)
      for (const secret of secrets) expect(seen).not.toContain(secret)

      expect((await send(page, '/auth/logout', { method: 'POST', ...authorization })).status).toBe(204)
      expect(await context.cookies()).toEqual([])
      expect((await send(page, '/auth/session', authorization)).status).toBe(401)
      for (const secret of secrets) expect(server.logs()).not.toContain(secret)
      await context.close()
    },
  )

  test('its form registers, shows the devices, survives a reload and logs out', async () => {
    const context = await browser.newContext()
    const page = await context.newPage()
    const violations: string[] = []
    page.on('console', (message) => {
      if (message.text().includes('Content Security Policy')) violations.push(message.text())
    })
    await page.goto(`${origins.own}/`)
    await page.fill('#identifier', `page.${IDENTIFIER}`)
    await page.fill('#password', PASSWORD)
    await page.click('#register')
    await page.waitForSelector('#devices li')
    const token = (await refreshCookie(context))!.value
    await page.reload()
    await page.waitForSelector('#devices li')
    expect(await page.textContent('#devices li')).toContain('this one')
    expect(await whatScriptsSee(page)).not.toContain(token)
    await page.click('#logout')
    await page.waitForSelector('#login:not([hidden])')
    expect(await context.cookies()).toEqual([])
    expect(violations).toEqual([])
    await context.close()
  })
})

describe.each(['sameSite', 'crossSite'] as const)('a page of a %s origin', (kind) => {
  let context: BrowserContext
  let page: Page
  let victim: string
  beforeAll(async () => {
    context = await browser.newContext()
    const own = await context.newPage()
    await own.goto(`${origins.own}/`)
    victim = `${kind}.${IDENTIFIER}`
    expect((await send(own, '/auth/register', json({ identifier: victim, password: PASSWORD }))).status).toBe(201)
    expect((await send(own, '/auth/login', json({ identifier: victim, password: PASSWORD }))).status).toBe(200)
    await own.close()
    page = await context.newPage()
    await page.goto(`${origins[kind]}/`)
  })
  afterAll(() => context?.close())

  /** The victim is still logged in, with the very same cookies, and there is one session. */
  async function untouched(before: string) {
    expect(JSON.stringify(await context.cookies())).toBe(before)
    const cookie = (await context.cookies()).map(({ name, value }) => `${name}=${value}`).join('; ')
    const list = await fetch(`${origins.own}/auth/sessions`, { headers: { cookie } })
    expect(list.status).toBe(200)
    expect(((await list.json()) as { items: unknown[] }).items).toHaveLength(1)
  }
  const snapshot = async () => JSON.stringify(await context.cookies())
  const targets = [
    '/auth/login',
    '/auth/refresh',
    '/auth/logout',
    '/auth/register',
    '/auth/sessions/revoke-all',
    '/auth/password',
    '/auth/reauth',
  ]

  test.each(targets)('fetch to %s, in every mode', async (path) => {
    const before = await snapshot()
    const body = JSON.stringify({ identifier: victim, password: PASSWORD, delivery: 'cookie', keepCurrent: false })
    const attempts = [
      { method: 'POST', credentials: 'include', headers: { 'content-type': 'application/json' }, body },
      { method: 'POST', credentials: 'include', headers: { 'content-type': 'text/plain' }, body },
      { method: 'POST', credentials: 'include', mode: 'no-cors', headers: { 'content-type': 'text/plain' }, body },
      { method: 'POST', credentials: 'include', mode: 'no-cors' },
      {
        method: 'POST',
        credentials: 'include',
        mode: 'no-cors',
        keepalive: true,
        body: new URLSearchParams({ a: 'b' }).toString(),
      },
      { method: 'POST', credentials: 'include', mode: 'no-cors', referrerPolicy: 'no-referrer' },
      { method: 'DELETE', credentials: 'include' },
    ]
    const answers = await Promise.all(attempts.map((init) => send(page, origins.own + path, init)))
    // An answer of another origin is closed to the page: it sees nothing, and CORS lets no status through.
    for (const answer of answers) expect(answer.status).toBe(0)
    await untouched(before)
  })

  test.each(targets)('a form that posts to %s', async (path) => {
    const before = await snapshot()
    for (const enctype of ['application/x-www-form-urlencoded', 'text/plain', 'multipart/form-data']) {
      const sender = await context.newPage()
      await sender.goto(`${origins[kind]}/`)
      const [response] = await Promise.all([
        sender.waitForResponse((one) => one.url() === origins.own + path),
        sender.evaluate(
          ([action, type, text]) => {
            const form = document.createElement('form')
            form.method = 'post'
            form.action = action!
            form.enctype = type!
            const input = document.createElement('input')
            // The old trick: a name and a value that together are JSON.
            input.name = `${text!.slice(0, -2)},"x":"`
            input.value = '"}'
            form.append(input)
            document.body.append(form)
            form.submit()
          },
          [origins.own + path, enctype, JSON.stringify({ identifier: victim, password: PASSWORD })],
        ),
      ])
      expect([403, 415]).toContain(response.status())
      expect(response.headers()['set-cookie']).toBeUndefined()
      await sender.close()
    }
    await untouched(before)
  })

  test('images, frames and links do nothing, and no answer can be framed', async () => {
    const before = await snapshot()
    await page.evaluate((own) => {
      for (const path of ['/auth/logout', '/auth/refresh', '/auth/session']) {
        document.body.append(Object.assign(new Image(), { src: own + path }))
        document.body.append(Object.assign(document.createElement('iframe'), { src: own + path }))
      }
    }, origins.own)
    await page.waitForTimeout(500)
    await untouched(before)
    const response = await fetch(`${origins.own}/`)
    expect(response.headers.get('content-security-policy')).toContain("frame-ancestors 'none'")
  })
})

test('login from elsewhere plants no session in a fresh browser (login CSRF)', async () => {
  for (const kind of ['sameSite', 'crossSite'] as const) {
    const context = await browser.newContext()
    const page = await context.newPage()
    await page.goto(`${origins[kind]}/`)
    const identifier = `sameSite.${IDENTIFIER}`
    await send(page, `${origins.own}/auth/login`, json({ identifier, password: PASSWORD }))
    await send(page, `${origins.own}/auth/login`, { ...json({ identifier, password: PASSWORD }), mode: 'no-cors' })
    expect(await context.cookies()).toEqual([])
    await context.close()
  }
})
