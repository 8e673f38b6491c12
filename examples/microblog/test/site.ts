/// <reference lib="dom" />
// The microblog on a Redis of its own, and people in front of real browsers.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { generateKeyring, loadKeyring } from 'countersign'
import type { Browser, BrowserContextOptions, Page } from 'playwright-core'
import { expect } from 'vitest'
import { launchChromium } from '../../../tools/test-support/chromium.ts'
import { isLong } from '../../../tools/test-support/counts.ts'
import { startDemoRedis } from '../../shared/demo-redis.ts'
import { buildPage } from '../build-page.ts'
import { PASSWORD, seed } from '../server/seed.ts'
import { type StartOptions, startMicroblog } from '../server/start.ts'

/** The page, built once for the tests of a file, and the browser. */
export async function openStage() {
  const folder = mkdtempSync(join(tmpdir(), 'countersign-microblog-'))
  const [page, browser] = await Promise.all([buildPage(folder), launchChromium()])
  return {
    page,
    browser,
    async close() {
      await browser.close()
      rmSync(folder, { recursive: true })
    },
  }
}
export type Stage = Awaited<ReturnType<typeof openStage>>

export async function openSite(stage: Stage, options: Partial<StartOptions> = {}) {
  const redis = await startDemoRedis()
  const all: StartOptions = {
    redisUrl: redis.url,
    keyring: await loadKeyring(generateKeyring()),
    page: stage.page,
    port: 0,
    strategy: 'allowlist',
    access: '10m',
    lifetime: '7d',
    devices: 3,
    // The machine may be busy, and that is no outage.
    deadline: '20s',
    ...options,
  }
  const blog = await startMicroblog(all)
  await seed(blog)
  const people: Person[] = []
  async function leave(): Promise<string[]> {
    const gone = people.splice(0)
    await Promise.all(gone.map(({ close }) => close()))
    return gone.flatMap(({ faults }) => faults)
  }
  /** Somebody with a browser of their own. */
  async function person(more?: BrowserContextOptions): Promise<Person> {
    const one = await openPerson(stage.browser, { baseURL: blog.url, ...more })
    people.push(one)
    return one
  }
  return {
    ...blog,
    redis,
    /** One more server on the same Redis, as another machine would be. */
    another: () => startMicroblog(all),
    person,
    async signedIn(name: string, at?: string): Promise<Person> {
      const one = await person()
      await one.logIn(name, at)
      return one
    },
    /** Ends what sessions somebody has, so that each test has all devices for itself. Answers the subject. */
    async fresh(name: string): Promise<string> {
      const { subject } = (await blog.accounts.find(name))!
      await blog.sessions.revokeAll(subject, { reason: 'logout' })
      return subject
    },
    /** Everybody goes. What was wrong on their pages is the answer. */
    leave,
    async close() {
      await leave()
      await blog.close()
      await redis.stop()
    },
  }
}
export type Site = Awaited<ReturnType<typeof openSite>>

async function openPerson(browser: Browser, more: BrowserContextOptions) {
  const context = await browser.newContext({ locale: 'en-US', ...more })
  context.setDefaultTimeout(60_000)
  const page = await context.newPage()
  const faults: string[] = []
  // A refused request is written to the console by the browser itself, and is no fault of the page.
  page.on(
    'console',
    (message) => message.type() === 'error' && !/status of 4\d\d/.test(message.text()) && faults.push(message.text()),
  )
  page.on('pageerror', (error) => faults.push(String(error)))
  return { page, context, faults, ...whatPeopleDo(page), close: () => context.close() }
}
export type Person = Awaited<ReturnType<typeof openPerson>>

function whatPeopleDo(page: Page) {
  const button = (name: string | RegExp, within: Pick<Page, 'getByRole'> = page) =>
    within.getByRole('button', { name, exact: typeof name === 'string' })
  /** Fills in the form that is shown. */
  async function enter(name: string, password = PASSWORD, submit = 'Log in'): Promise<void> {
    await page.getByLabel('Name').fill(name)
    await page.getByRole('textbox', { name: 'Password' }).fill(password)
    await button(submit).click()
  }
  return {
    button,
    enter,
    async logIn(name: string, at = '/') {
      await page.goto(at)
      await enter(name)
      await button('Log out').waitFor()
      await marked(page)
    },
    link: (name: string) => page.getByRole('link', { name, exact: true }),
    card: (text: string) => page.getByRole('article').filter({ hasText: text }),
    says: (text: string) => page.getByText(text).waitFor(),
  }
}

/** A document that is loaded anew does not have the mark. */
const marked = (page: Page) => page.evaluate(() => void Object.assign(window, { isMarked: true }))
export const isSameDocument = (page: Page) => page.evaluate(() => 'isMarked' in window)

/**
 * How long after `act`, in milliseconds, `page` shows `text`. It is looked for in the page, as often as it is drawn or 100 times a
 * second; `act` resolves when the server has acknowledged.
 */
export async function delayOf(page: Page, text: string, act: () => Promise<unknown>): Promise<number> {
  const shown = page
    .waitForFunction((wanted) => document.body.innerText.includes(wanted) && Date.now(), text, { polling: 10 })
    .then((handle) => handle.jsonValue())
  await act()
  const acknowledgedMs = Date.now()
  // Often the page is there before the answer is.
  return Math.max(0, Number(await shown) - acknowledgedMs)
}

/**
 * Must show: within a second, where the machine has nothing else to do. In the short form it has, and what is measured is how long a
 * browser waits for its turn.
 */
export function withinASecond(what: string, ms: number): void {
  console.log(`${what}: the page changed ${ms} ms after the acknowledgement`)
  expect(ms).toBeLessThan(isLong ? 1_000 : 20_000)
}
