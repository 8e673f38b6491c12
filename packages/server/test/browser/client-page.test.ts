/// <reference lib="dom" />
// A page of a real browser and what may be wrong with it: it comes back from the cache, keeps no cookies, has a cookie of
// somebody else's making, or the wrong time. Nothing private is shown, and whoever is sent away is sent once and told why.
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseSessionId } from 'countersign'
import type { Browser, BrowserContext, Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { launchChromium, launchProfile } from '../../../../tools/test-support/chromium.ts'
import { startServer } from '../../../../tools/test-support/server-process.ts'
import { Client, PASSWORD, startApp, type TestApp } from '../support.ts'
import { type Site, startSite } from './site.ts'

const IDENTIFIER = 'alice@example.com'
const SOON = { timeout: 60_000, interval: 20 }

let browser: Browser
let context: BrowserContext
let site: Site
let app: TestApp
beforeAll(async () => {
  browser = await launchChromium()
})
afterAll(() => browser?.close())
beforeEach(async () => {
  site = await startSite()
  app = await startApp({ settings: { origins: () => [site.origin] } })
  site.target = app.url
  await app.client({ origin: site.origin }).register(IDENTIFIER)
  context = await browser.newContext()
})
afterEach(async () => {
  await context?.close()
  site?.close()
  await app?.close()
})

/** By a timer: a page in the background has few frames. */
const OFTEN = { polling: 20 }
const says = (page: Page, text: string) =>
  page.waitForFunction((expected) => document.querySelector('#says')?.textContent?.startsWith(expected), text, OFTEN)
const click = (page: Page, id: string) =>
  page.evaluate((selector) => document.querySelector<HTMLElement>(selector)!.click(), id)
const urlOf = (path: string) => site.origin + path

/** Documents that the main frame went to, without the first one. */
function redirectsOf(page: Page): string[] {
  const paths: string[] = []
  page.on('framenavigated', (frame) => {
    if (frame === page.mainFrame()) paths.push(new URL(frame.url()).pathname)
  })
  return paths
}

async function logIn(page: Page, origin = site.origin) {
  await page.goto(`${origin}/login`)
  await says(page, 'Please log in')
  await page.fill('[name=identifier]', IDENTIFIER)
  await page.fill('[name=password]', PASSWORD)
  await page.click('form button')
}

describe('back/forward cache', () => {
  /** Leaves the private page, does `meanwhile`, and comes back. */
  async function backAfter(meanwhile: (other: Page) => Promise<unknown>, path = '/private') {
    const page = await context.newPage()
    await logIn(page)
    await says(page, 'Private things')
    if (path !== '/private') await page.goto(urlOf(path))
    await says(page, 'Private things')
    await page.goto(urlOf('/away'))
    site.seen.length = 0
    const other = await context.newPage()
    await other.goto(urlOf('/tab'))
    await meanwhile(other)
    await page.evaluate(() => history.back())
    return page
  }
  const restored = () => site.seen.filter(({ persisted }) => persisted)

  test('control: the page comes back as it was, is invisible until the server was asked, and then visible', async () => {
    const page = await backAfter(async () => undefined)
    await vi.waitFor(() => expect(restored().some(({ isVisible }) => isVisible)).toBe(true), SOON)
    for (const { isVisible, status } of restored()) expect(isVisible).toBe(status === 'signed_in')
    expect(restored()[0]).toEqual({ persisted: true, isVisible: false, status: 'unknown' })
    expect(site.requests.at(-1)).toBe('/auth/refresh')
    await says(page, 'Private things')
  })

  test('after a logout in another tab nothing private comes back', async () => {
    const page = await backAfter((other) => other.evaluate(() => window.client.logout()))
    await page.waitForURL('**/login#*')
    await says(page, 'Please log in')
    for (const { isVisible } of restored()) expect(isVisible).toBe(false)
  })

  const endedByServer = async (other: Page) => {
    const id = await other.evaluate(async () => ((await window.client.start()) as any).session.id as string)
    await app.sessions.revoke(parseSessionId(id)!, { reason: 'admin' })
  }
  test('after the server ended the session: restored, never visible, and sent away with the reason', async () => {
    const page = await backAfter(endedByServer)
    await page.waitForURL('**/login#admin')
    await says(page, 'Please log in: admin')
    expect(restored().length).toBeGreaterThan(0)
    for (const { isVisible } of restored()) expect(isVisible).toBe(false)
  })

  test('a page that sends nobody away is reloaded', async () => {
    const page = await backAfter(endedByServer, '/quiet')
    await says(page, 'Nobody')
    expect(restored().length).toBeGreaterThan(0)
    for (const { isVisible } of restored()) expect(isVisible).toBe(false)
  })

  test('without a network it stays invisible, and is asked for again', async () => {
    const page = await backAfter(async () => {
      site.fate = () => ({ lose: 'request' })
    })
    await vi.waitFor(
      () => expect(site.requests.filter((path) => path === '/auth/refresh').length).toBeGreaterThan(5),
      SOON,
    )
    expect(restored().length).toBeGreaterThan(0)
    for (const { isVisible } of restored()) expect(isVisible).toBe(false)
    site.fate = () => ({})
    await vi.waitFor(() => expect(restored().at(-1)).toMatchObject({ isVisible: true, status: 'signed_in' }), SOON)
    await says(page, 'Private things')
  })
})

describe('at most one redirect, then a page that says why', () => {
  test('nobody is logged in', async () => {
    const page = await context.newPage()
    const paths = redirectsOf(page)
    await page.goto(urlOf('/private'))
    await says(page, 'Please log in: missing')
    expect(paths).toEqual(['/private', '/login'])
  })

  test('a cookie that is none of ours; the login works all the same', async () => {
    const page = await context.newPage()
    const paths = redirectsOf(page)
    await context.addCookies([
      { name: '__Host-refresh', value: 'csr_garbage', domain: '127.0.0.1', path: '/', secure: true, httpOnly: true },
    ])
    await page.goto(urlOf('/private'))
    await says(page, 'Please log in: invalid_token')
    expect(paths).toEqual(['/private', '/login'])
    await logIn(page)
    await says(page, 'Private things')
  })

  test('cookies are blocked: the login says so, goes nowhere, and leaves no session behind', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'countersign-profile-'))
    mkdirSync(join(folder, 'Default'))
    const preferences = { profile: { default_content_setting_values: { cookies: 2 } } }
    writeFileSync(join(folder, 'Default/Preferences'), JSON.stringify(preferences))
    const blocking = await launchProfile(folder)
    try {
      const page = await blocking.newPage()
      const paths = redirectsOf(page)
      await page.goto(urlOf('/private'))
      await says(page, 'Please log in: missing')
      expect(paths).toEqual(['/private', '/login'])
      await page.fill('[name=identifier]', IDENTIFIER)
      await page.fill('[name=password]', PASSWORD)
      await page.click('form button')
      await says(page, 'Not logged in: cookies_blocked')
      expect(await page.evaluate(() => window.warnings)).toEqual(['cookies_blocked'])
      expect(paths).toEqual(['/private', '/login'])
      const { body } = await new Client(app.url, { origin: site.origin }).login(IDENTIFIER, { delivery: 'bearer' })
      const list: unknown[] = []
      for await (const one of app.sessions.list(body.session.subject)) list.push(one)
      expect(list.length).toBe(1)
    } finally {
      await blocking.close()
      rmSync(folder, { recursive: true, force: true })
    }
  })

  test('the clock of the service is an hour ahead of that of the browser, or behind: nobody notices', async () => {
    await Promise.all([throughExpiries('+1h', 3_600_000), throughExpiries('-1h', -3_600_000)])
  })

  /** Logs in, and goes on until the token has been renewed twice, ahead or after its end, and the page been loaded again. */
  async function throughExpiries(offset: string, aheadMs: number) {
    const place = await startSite()
    // Cookies know no ports: each has a jar of its own.
    const own = await browser.newContext()
    const data = mkdtempSync(join(tmpdir(), 'countersign-clock-'))
    const preload = execFileSync('faketime', ['-f', '+0', 'printenv', 'LD_PRELOAD'], { encoding: 'utf8' }).trim()
    const server = await startServer(['--data', data, '--public-url', place.origin, '--access-lifetime', '2s'], {
      LD_PRELOAD: preload,
      FAKETIME: offset,
      FAKETIME_DONT_FAKE_MONOTONIC: '1',
    })
    try {
      place.target = server.url
      await new Client(server.url, { origin: place.origin }).register(IDENTIFIER)
      const page = await own.newPage()
      await logIn(page, place.origin)
      await says(page, 'Private things')
      const { session } = (await page.evaluate(() => window.client.state)) as any
      expect(Math.abs(Date.parse(session.createdAt) - Date.now() - aheadMs)).toBeLessThan(120_000)
      const refreshes = () => place.requests.filter((path) => path === '/auth/refresh').length
      const before = refreshes()
      const paths = redirectsOf(page)
      await vi.waitFor(async () => {
        expect(await page.evaluate(async () => (await window.client.authFetch('/auth/session')).status)).toBe(200)
        expect(refreshes()).toBeGreaterThanOrEqual(before + 2)
      }, SOON)
      expect(await page.evaluate(() => window.outs)).toEqual([])
      await page.reload()
      await says(page, 'Private things')
      expect(await page.evaluate(() => window.outs)).toEqual([])
      expect(paths).toEqual(['/private'])
    } finally {
      await own.close()
      place.close()
      await server.stop()
      rmSync(data, { recursive: true, force: true })
    }
  }
})

test('a `<base>` of another origin leads neither the password nor the token there', async () => {
  const page = await context.newPage()
  const asked: string[] = []
  page.on('request', (request) => asked.push(new URL(request.url()).origin))
  await page.goto(urlOf('/tab'))
  const statuses = await page.evaluate(
    async ([href, identifier, password]) => {
      document.head.append(Object.assign(document.createElement('base'), { href }))
      const done = await window.client.login({ identifier, password })
      const answer = await window.client.authFetch('auth/session')
      return [done.ok, answer.status, new URL(document.baseURI).hostname]
    },
    [site.origin.replace('127.0.0.1', 'localhost'), IDENTIFIER, PASSWORD] as const,
  )
  expect(statuses).toEqual([true, 200, 'localhost'])
  expect([...new Set(asked)]).toEqual([site.origin])
})

test('React: waits, shows who it is, asks with a token, and follows a logout in another tab', async () => {
  const [page, other] = [await context.newPage(), await context.newPage()]
  const failures: string[] = []
  page.on('pageerror', (error) => failures.push(String(error)))
  page.on(
    'console',
    (message) => message.type() === 'error' && !/401/.test(message.text()) && failures.push(message.text()),
  )
  let answer = () => {}
  const until = new Promise<void>((resolve) => {
    answer = resolve
  })
  site.fate = () => ({ until })
  await page.goto(urlOf('/react'))
  await says(page, 'Wait')
  answer()
  await says(page, 'Out: missing')
  await logIn(other)
  await says(page, 'In: ')
  await click(page, '#ask')
  await page.waitForFunction(() => document.querySelector('#answer')!.textContent === '200', undefined, OFTEN)
  await says(other, 'Private things')
  await click(other, '#logout')
  await says(page, 'Out: logout')
  // It is sent away meanwhile, and a browser that is closed in the middle of that sometimes never says that it is.
  await says(other, 'Please log in: logout')
  expect(failures).toEqual([])
})
