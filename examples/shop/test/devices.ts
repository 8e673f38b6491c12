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

/** How long after an answer of the server came to one page another one shows something, in milliseconds. */
export async function shownAfter(
  { page }: Device,
  path: string,
  act: () => Promise<unknown>,
  ...shown: readonly Promise<unknown>[]
): Promise<number> {
  const clock = () => performance.now()
  const answered = page.waitForResponse((response) => response.url().endsWith(path)).then(clock)
  const all = Promise.all(shown.map((one) => one.then(clock)))
  await act()
  return Math.max(...(await all)) - (await answered)
}
