// Browsers in front of the shop, each a device of its own: what a test does with them, in the words of the page.
import { mkdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import axe from 'axe-core'
import type { Browser, Page } from 'playwright-core'
import { DEMO_ACCOUNTS } from '../seed.ts'

const ARTIFACTS = fileURLToPath(new URL('../../../artifacts/shop', import.meta.url))

export interface Device {
  readonly page: Page
  /** Loads the page again, at a view. */
  open(view: string): Promise<void>
  /** Goes to a view without loading anything again. */
  go(view: string): Promise<void>
  login(who: 'ada' | 'lin' | 'office', password?: string): Promise<void>
  add(article: string): Promise<void>
  /** By the id of the article, as the cart view shows it. */
  quantity(article: string): Promise<string>
  /** Takes a picture, and answers what axe finds that is serious or worse. */
  look(name: string): Promise<string[]>
  close(): Promise<void>
}

export async function newDevice(browser: Browser, url: string, kind: 'desktop' | 'phone'): Promise<Device> {
  const viewport = kind === 'phone' ? { width: 390, height: 844 } : { width: 1280, height: 800 }
  const context = await browser.newContext({ viewport, isMobile: kind === 'phone', locale: 'en-GB' })
  await context.addInitScript(WATCH)
  const page = await context.newPage()
  page.setDefaultTimeout(60_000)
  const go = async (view: string) => {
    await page.evaluate((hash) => {
      location.hash = hash
    }, view)
  }
  const device: Device = {
    page,
    go,
    async open(view) {
      await page.goto(`${url}/#${view}`)
      await page.reload()
    },
    async login(who, password) {
      const account = DEMO_ACCOUNTS.find(({ identifier }) => identifier.startsWith(who))!
      await go('/account')
      await page.getByLabel('E-mail').fill(account.identifier)
      await page.getByRole('textbox', { name: 'Password' }).fill(password ?? account.password)
      await page.locator('form button[type=submit]').click()
      await page.getByRole('button', { name: 'Log out', exact: true }).filter({ visible: true }).first().waitFor()
    },
    async add(article) {
      await page.getByRole('button', { name: `Add to cart: ${article}` }).click()
    },
    quantity: async (article) => (await page.getByTestId(`quantity-${article}`).textContent()) ?? '',
    async look(name) {
      mkdirSync(ARTIFACTS, { recursive: true })
      // What fades in has no contrast yet.
      await page.evaluate(SETTLED)
      await page.screenshot({ path: `${ARTIFACTS}/${kind}-${name}.png`, fullPage: true })
      await page.evaluate(axe.source)
      const { violations } = (await page.evaluate(AXE)) as axe.AxeResults
      return violations
        .filter(({ impact }) => impact === 'serious' || impact === 'critical')
        .map(({ id, nodes }) => `${kind} ${name}: ${id}: ${nodes.map(({ html }) => html.slice(0, 160)).join(' | ')}`)
    },
    close: () => context.close(),
  }
  return device
}

const AXE = `axe.run({ resultTypes: ['violations'], runOnly: ['wcag2a', 'wcag2aa', 'wcag21aa', 'wcag22aa', 'best-practice'] })`
const SETTLED = `Promise.all(document.getAnimations()
  .filter(({ effect }) => effect.getComputedTiming().endTime !== Infinity)
  .map(({ finished }) => finished.catch(() => undefined))).then(() => undefined)`

/**
 * How long after the last answer of the server to one page others said that their session has ended, in milliseconds. By
 * the clocks of the pages, so that what watches them is not in it.
 */
export async function toldAfter(answered: Device, path: string, ...told: readonly Device[]): Promise<number> {
  const answerMs = await answered.page.evaluate((path) => {
    const all = performance.getEntriesByType('resource') as unknown as { name: string; responseEnd: number }[]
    return performance.timeOrigin + all.findLast(({ name }) => name.endsWith(path))!.responseEnd
  }, path)
  const toldMs = await Promise.all(told.map(({ page }) => page.evaluate<number>('window.endedAtMs')))
  return Math.round(Math.max(...toldMs) - answerMs)
}

/** A second, and what this machine needs at the moment for a few requests of a page: it may be asked for more than it has. */
export async function aSecond({ page }: Device): Promise<number> {
  const requestMs = await page.evaluate<number>(`(async () => {
    const beginMs = performance.now()
    for (let i = 0; i < 4; i++) await (await fetch('/api/shop')).json()
    return performance.now() - beginMs
  })()`)
  return 1_000 + requestMs
}

/** Notes when it is first shown why a device is logged out. */
const WATCH = `new MutationObserver(() => {
  if (document.querySelector('[data-testid=ended]')) window.endedAtMs ??= performance.timeOrigin + performance.now()
}).observe(document, { subtree: true, childList: true })`
