/// <reference lib="dom" />
// A real browser and an application on the Express adapter, with three origins: its own, one that is same-site, and one
// that is cross-site. What works in the first must do nothing from the others, also when the browser sends our cookies along.
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { allowlist } from 'countersign'
import { countersign } from 'countersign/express'
import { createTestSessions } from 'countersign/testing'
import express from 'express'
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

const { sessions, clock } = await createTestSessions({
  strategy: allowlist({ issuer: 'https://auth.test', audience: 'https://api.test' }),
  roles: ['user'],
})
const LONG = process.env.COUNTERSIGN_LONG === '1'
/** What reached the server, whether the browser tells or not. */
const served: { readonly what: string; readonly status: number; readonly cookies: boolean; readonly site: string }[] =
  []
let changes = 0
let pages = 0
let server: Server
let foreign: Server
let browser: Browser
let own = ''
let origins: { sameSite: string; crossSite: string }

beforeAll(async () => {
  const auth = countersign({
    sessions,
    origins: () => [own],
    loginPage: '/login-page',
    authenticate: async ({ fields }) => ({ ok: true, subject: String(fields.subject), roles: ['user' as const] }),
  })
  const app = express()
  app.use((request, response, next) => {
    const what = `${request.method} ${request.path}`
    const cookies = request.headers.cookie?.includes('__Host-access') ?? false
    const site = String(request.headers['sec-fetch-site'] ?? '')
    response.once('finish', () => served.push({ what, status: response.statusCode, cookies, site }))
    next()
  })
  // SameSite stripped: what holds the attempts off must not be the browser's kindness. Chromium takes `None` as sent everywhere.
  app.use((request, response, next) => {
    if (request.headers['user-agent']?.includes('Stripped')) {
      const set = response.setHeader.bind(response)
      response.setHeader = (name, value) => {
        const isCookie = name.toLowerCase() === 'set-cookie' && Array.isArray(value)
        return set(name, isCookie ? value.map((line) => line.replace(/SameSite=\w+/, 'SameSite=None')) : value)
      }
    }
    next()
  })
  app.use(auth)
  app.get('/login-page', (request, response) => {
    const { reason = '' } = request.query
    response.send(`<h1>Log in</h1><p id="why">${encodeURIComponent(String(reason))}</p><form method="post" action="/auth/login">
      <input name="subject" value="alice"><input type="hidden" name="returnTo" value="/private"><button>Log in</button></form>`)
  })
  app.get('/private', auth.guard(), (request, response) => {
    pages++
    response.send(`<h1 id="who">${request.auth.session?.subject}</h1>
      <form id="change" method="post" action="/change"><button>Change</button></form>
      <form id="out" method="post" action="/auth/logout"><button>Log out</button></form>`)
  })
  app.post('/change', auth.guard(), (_request, response) => {
    changes++
    response.send('<p id="done">changed</p>')
  })
  app.use(auth.errors)
  server = app.listen(0, '127.0.0.1')
  await new Promise<void>((resolve) => server.once('listening', () => resolve()))
  foreign = createServer((_request, response) => response.setHeader('content-type', 'text/html').end('<p>foreign</p>'))
  await new Promise<void>((resolve) => foreign.listen(0, '127.0.0.1', resolve))
  const [port, other] = [server, foreign].map((one) => (one.address() as AddressInfo).port)
  // Loopback, so that cookies with Secure are kept over plain HTTP; another port is same-site, another name is not.
  own = `http://127.0.0.1:${port}`
  origins = { sameSite: `http://127.0.0.1:${other}`, crossSite: `http://localhost:${other}` }
  browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking', '--disable-component-update'],
  })
})
afterAll(async () => {
  await browser?.close()
  server?.close()
  server?.closeAllConnections()
  foreign?.close()
  await sessions.close()
})

async function loggedIn(options: { userAgent?: string; javaScriptEnabled?: boolean } = {}) {
  const context = await browser.newContext(options)
  const page = await context.newPage()
  await page.goto(`${own}/login-page`)
  await Promise.all([page.waitForURL(`${own}/private`), page.click('button')])
  return { context, page }
}
const jar = async (context: BrowserContext) =>
  (await context.cookies()).map(({ name, value }) => `${name}=${value}`).sort()

describe('a page of our own', () => {
  test('logs in by a form, changes something, logs out; back shows nothing', async () => {
    const { context, page } = await loggedIn()
    expect(await page.textContent('#who')).toBe('alice')
    const before = changes
    await Promise.all([page.waitForSelector('#done'), page.click('#change button')])
    expect(changes).toBe(before + 1)
    await page.goto(`${own}/private`)
    await Promise.all([page.waitForURL(/login-page/), page.click('#out button')])
    expect(await jar(context)).toEqual([])
    await page.goBack()
    await page.waitForURL(/login-page/)
    expect(await page.locator('#who').count()).toBe(0)
    await context.close()
  })
})

describe('the bounce document', () => {
  /** Follows a link to the private page from a page of another site, as from a mail. */
  async function linkFrom(origin: string, page: Page) {
    await page.goto(`${origin}/`)
    await page.evaluate((href) => {
      document.body.append(Object.assign(document.createElement('a'), { id: 'link', href, textContent: 'link' }))
    }, `${own}/private`)
    await page.click('#link')
  }

  test('a link from a mail after the access token has expired: one POST, and the page is there', async () => {
    const { context, page } = await loggedIn()
    clock.advance('11m')
    const seen: string[] = []
    page.on(
      'request',
      (one) => void (one.isNavigationRequest() && seen.push(`${one.method()} ${new URL(one.url()).pathname}`)),
    )
    await linkFrom(origins.crossSite, page)
    await page.waitForSelector('#who')
    expect([page.url(), await page.textContent('#who')]).toEqual([`${own}/private`, 'alice'])
    expect(seen).toEqual(['GET /', 'GET /private', 'POST /auth/refresh', 'GET /private'])
    await context.close()
  })

  test('without scripts it takes one click', async () => {
    const { context, page } = await loggedIn({ javaScriptEnabled: false })
    clock.advance('11m')
    await page.goto(`${own}/private`)
    expect(await page.locator('#who').count()).toBe(0)
    await Promise.all([page.waitForSelector('#who'), page.click('button')])
    expect(page.url()).toBe(`${own}/private`)
    await context.close()
  })

  test('nobody, a session that ended, and garbage: one try, then the login page says why', async () => {
    const context = await browser.newContext()
    const page = await context.newPage()
    let posts = 0
    page.on('request', (one) => void (one.method() === 'POST' && posts++))
    await linkFrom(origins.crossSite, page)
    await page.waitForSelector('#why')
    expect([await page.textContent('#why'), posts]).toEqual(['missing', 1])
    await context.addCookies([
      { name: '__Host-access', value: 'garbage', url: own.replace('http:', 'https:'), secure: true },
    ])
    await page.goto(`${own}/private`)
    await page.waitForSelector('#why')
    expect([await page.textContent('#why'), posts]).toEqual(['invalid_token', 1])
    await context.close()
    const ended = await loggedIn()
    await sessions.revokeAll('alice', { reason: 'admin' })
    await ended.page.goto(`${own}/private`)
    await ended.page.waitForSelector('#why')
    expect(await ended.page.textContent('#why')).toBe('ended')
    await ended.context.close()
  })
})

describe.each(['sameSite', 'crossSite'] as const)('a page of a %s origin', (kind) => {
  test.each([
    ['as it is', {}],
    ['with SameSite stripped from our cookies', { userAgent: 'Mozilla/5.0 Stripped' }],
  ])('gets nothing done by form, fetch, image, frame or login, %s', async (_how, options) => {
    const { context, page: mine } = await loggedIn(options)
    await mine.close()
    const [before, seen, cookies] = [changes, pages, await jar(context)]
    served.length = 0
    const attempts = ['/change', '/auth/logout', '/auth/refresh', '/auth/login']
    for (const path of LONG ? attempts : ['/change', '/auth/login']) {
      for (const enctype of LONG ? ['application/x-www-form-urlencoded', 'text/plain'] : ['text/plain']) {
        const page = await context.newPage()
        await page.goto(`${origins[kind]}/`)
        await Promise.all([
          page.waitForResponse((one) => one.url() === own + path),
          page.evaluate(
            ([action, type]) => {
              const form = Object.assign(document.createElement('form'), { method: 'post', action, enctype: type })
              form.append(Object.assign(document.createElement('input'), { name: 'subject', value: 'mallory' }))
              document.body.append(form)
              form.submit()
            },
            [own + path, enctype] as const,
          ),
        ])
        await page.close()
      }
    }
    const page = await context.newPage()
    await page.goto(`${origins[kind]}/`)
    await page.evaluate(
      async ([base, paths]) => {
        const body = JSON.stringify({ subject: 'mallory', delivery: 'cookie' })
        for (const path of paths) {
          for (const init of [
            { method: 'POST', credentials: 'include', mode: 'no-cors', body },
            { method: 'POST', credentials: 'include', body, headers: { 'content-type': 'application/json' } },
          ] as RequestInit[])
            await fetch(base + path, init).catch(() => undefined)
        }
        const loaded = (element: HTMLElement, src: string) =>
          new Promise<void>((resolve) => {
            element.onload = element.onerror = () => resolve()
            document.body.append(Object.assign(element, { src }))
          })
        await loaded(new Image(), `${base}/private`)
        await loaded(document.createElement('iframe'), `${base}/private`)
        await fetch(`${base}/private`, { credentials: 'include', mode: 'no-cors' }).catch(() => undefined)
      },
      [own, attempts] as const,
    )
    // All of it was refused, and nothing has come of it: no change, no page, no other cookie, no session of the attacker.
    // Not the questions that a browser asks before it sends something: no answer to them allows anything.
    const sent = served.filter(({ what }) => !what.startsWith('OPTIONS '))
    const reached = sent.filter(({ site }) => site === (kind === 'sameSite' ? 'same-site' : 'cross-site'))
    expect(reached.length).toBeGreaterThan(8)
    for (const { what, status } of reached) expect([what, status >= 400]).toEqual([what, true])
    for (const what of ['POST /change', 'POST /auth/login', 'POST /auth/logout', 'GET /private'])
      expect(reached.map((one) => one.what)).toContain(what)
    // It was not the browser that held them off by keeping our cookies to itself; those of third parties it sends with
    // navigations only. What comes of images and frames that have them, the adapter suite shows.
    const withCookies = reached.filter(({ cookies }) => cookies).length
    if (kind === 'sameSite') expect(withCookies).toBeGreaterThan(5)
    else if ('userAgent' in options) expect(withCookies).toBeGreaterThan(1)
    expect([changes, pages, await jar(context)]).toEqual([before, seen, cookies])
    const planted = []
    for await (const one of sessions.list('mallory')) planted.push(one)
    expect(planted).toEqual([])
    // A link in the whole window is no attack.
    await page.goto(`${own}/private`)
    expect(await page.textContent('#who')).toBe('alice')
    await context.close()
  })
})
