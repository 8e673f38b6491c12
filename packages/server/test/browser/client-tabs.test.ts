/// <reference lib="dom" />
// Three tabs of a real browser with one session, and a network that is slow and loses answers: nobody is logged out.
import type { Browser, BrowserContext, Page } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { launchChromium } from '../../../../tools/test-support/chromium.ts'
import { count, isLong } from '../../../../tools/test-support/counts.ts'
import { PASSWORD, startApp, type TestApp } from '../support.ts'
import { generationOf, type Site, startSite } from './site.ts'

/** Browsers at once, and how often the tokens of each expire. Together 20 renewals, in the long form 200. */
const BROWSERS = 5
const ROUNDS = count(4, 40)
/** Grace and timeout are the defaults, 10 s and 9 s. */
const LATENCY_MS = isLong ? 8_000 : 1_000

/** By a timer: a page in the background has few frames. */
const OFTEN = { polling: 20 }

let browser: Browser
beforeAll(async () => {
  browser = await launchChromium()
})
afterAll(() => browser?.close())

interface Setting {
  readonly app: TestApp
  readonly site: Site
  readonly context: BrowserContext
  readonly tabs: readonly Page[]
  readonly subject: string
  close(): Promise<void>
}

async function threeTabs(): Promise<Setting> {
  const site = await startSite()
  const app = await startApp({ settings: { origins: () => [site.origin] } })
  site.target = app.url
  const context = await browser.newContext()
  const tabs = await Promise.all([1, 2, 3].map(() => context.newPage()))
  await Promise.all(tabs.map((tab) => tab.goto(`${site.origin}/tab`)))
  await app.client({ origin: site.origin }).register('alice@example.com')
  await Promise.all(tabs.map((tab) => tab.evaluate(() => window.client.start())))
  const done = await tabs[0]!.evaluate(
    (password) => window.client.login({ identifier: 'alice@example.com', password }),
    PASSWORD,
  )
  expect(done).toMatchObject({ ok: true })
  for (const tab of tabs) await tab.waitForFunction(() => window.client.state.status === 'signed_in', undefined, OFTEN)
  await Promise.all(
    tabs.map((tab) =>
      tab.evaluate(() => {
        window.outs.length = 0
      }),
    ),
  )
  const { session } = done as { session: { subject: string } }
  return {
    app,
    site,
    context,
    tabs,
    subject: session.subject,
    async close() {
      await context.close()
      site.close()
      await app.close()
    },
  }
}

const all = <T>(tabs: readonly Page[], fn: () => T | Promise<T>) => Promise.all(tabs.map((tab) => tab.evaluate(fn)))
const refreshCookie = async (context: BrowserContext) =>
  (await context.cookies()).find(({ name }) => name === '__Host-refresh')!.value
async function live({ app, subject }: Setting) {
  const ids: string[] = []
  for await (const { sessionId } of app.sessions.list(subject)) ids.push(sessionId)
  return ids
}
async function until(what: string, isTrue: () => boolean | Promise<boolean>) {
  for (const end = performance.now() + 60_000; performance.now() < end; ) {
    if (await isTrue()) return
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  throw new Error(`not within a minute: ${what}`)
}

/** As an application does: again when there was no network, until there is an answer. */
const askUntilAnswered = async () => {
  for (;;) {
    try {
      return (await window.client.authFetch('/auth/session')).status
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
  }
}

/** One access token expires in three tabs at once. */
async function round(setting: Setting, lost: { count: number }): Promise<void> {
  const { app, site, tabs, context } = setting
  // The clock of the service moves; what was sent before has arrived, or it would have been late by this jump.
  await until('nothing is under way', () => site.underWay() === 0)
  app.advance(11 * 60_000)
  site.fate = (path) => {
    if (path !== '/auth/refresh') return {}
    const totalMs = Math.random() * LATENCY_MS
    const beforeMs = Math.random() * totalMs
    const dice = Math.random()
    const lose = dice < 0.2 ? 'response' : dice < 0.25 ? 'request' : undefined
    if (lose) lost.count++
    return { beforeMs, afterMs: totalMs - beforeMs, ...(lose && { lose }) }
  }
  let isOver = false
  const watching = (async () => {
    while (!isOver) {
      expect((await live(setting)).length).toBe(1)
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
  })()
  try {
    expect(await all(tabs, askUntilAnswered)).toEqual([200, 200, 200])
  } finally {
    isOver = true
    await watching
  }
  site.fate = () => ({})
  await until('nothing is under way', () => site.underWay() === 0)
  // One successor per generation, whatever was lost and repeated, and the newest of them is the cookie.
  const successors = new Map<number, Set<string>>()
  for (const token of site.handedOut) {
    const generation = generationOf(token)
    successors.set(generation, (successors.get(generation) ?? new Set()).add(token))
  }
  for (const tokens of successors.values()) expect(tokens.size).toBe(1)
  const newest = Math.max(...successors.keys())
  expect(await refreshCookie(context)).toBe([...successors.get(newest)!][0])
}

test(`${BROWSERS * ROUNDS} renewals of three tabs under 0 to ${LATENCY_MS} ms and lost answers`, {
  timeout: 1_800_000,
}, async () => {
  const settings = await Promise.all(Array.from({ length: BROWSERS }, threeTabs))
  const lost = { count: 0 }
  let asked = 0
  try {
    await Promise.all(
      settings.map(async (setting) => {
        const first = generationOf(await refreshCookie(setting.context))
        for (let i = 0; i < ROUNDS; i++) await round(setting, lost)
        // Each round was a rotation, and only one.
        expect(generationOf(await refreshCookie(setting.context)) - first).toBe(ROUNDS)
        expect(await all(setting.tabs, () => window.outs)).toEqual([[], [], []])
        expect(setting.app.logged.join('')).not.toMatch(/refresh_reused|"reused"/)
        asked += setting.site.requests.filter((path) => path === '/auth/refresh').length
      }),
    )
    console.log(`${BROWSERS * ROUNDS} renewals: ${asked} requests to refresh, ${lost.count} lost`)
    expect(lost.count).toBeGreaterThan(0)
    // They do meet: most rounds have more than one tab asking.
    expect(asked).toBeGreaterThan(1.5 * BROWSERS * ROUNDS)
  } finally {
    await Promise.all(settings.map((setting) => setting.close()))
  }
})

test('beyond the grace: whoever comes with the old cookie ends the session, and every tab says so', async () => {
  const setting = await threeTabs()
  const { app, context, site, tabs } = setting
  const old = await context.cookies()
  app.advance(11 * 60_000)
  expect(await all(tabs, askUntilAnswered)).toEqual([200, 200, 200])
  app.advance(11_000)
  const copy = await browser.newContext()
  await copy.addCookies(old)
  const thief = await copy.newPage()
  await thief.goto(`${site.origin}/tab`)
  expect(await thief.evaluate(() => window.client.start())).toEqual({ status: 'signed_out', reason: 'reused' })
  expect(await live(setting)).toEqual([])
  expect(await tabs[0]!.evaluate(askUntilAnswered)).toBe(401)
  for (const tab of tabs) await tab.waitForFunction(() => window.client.state.status === 'signed_out', undefined, OFTEN)
  expect(await all(tabs, () => window.outs)).toEqual([['reused'], ['reused'], ['reused']])
  await copy.close()
  await setting.close()
})

test('logout in one tab signs the others out, and leaves nothing in the browser', async () => {
  const setting = await threeTabs()
  const { context, tabs } = setting
  const seen = () => JSON.stringify([{ ...localStorage }, { ...sessionStorage }, document.cookie, location.href])
  expect(await all(tabs, seen)).toEqual(Array(3).fill(JSON.stringify([{}, {}, '', tabs[0]!.url()])))
  expect(await tabs[1]!.evaluate(() => window.client.logout())).toBe(true)
  for (const tab of tabs) await tab.waitForFunction(() => window.outs.length > 0, undefined, OFTEN)
  expect(await all(tabs, () => window.outs)).toEqual([['logout'], ['logout'], ['logout']])
  expect(await context.cookies()).toEqual([])
  expect(await live(setting)).toEqual([])
  expect(await tabs[2]!.evaluate(askUntilAnswered)).toBe(401)
  await setting.close()
})
