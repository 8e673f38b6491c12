/// <reference lib="dom" />
// A person with a real browser: forgets the password, follows the link, sets a new one, logs in with it.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Browser, chromium } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { run, type Served, serve } from '../process.ts'
import { Client } from '../support.ts'

const NEW_PASSWORD = 'another long enough sentence'
let cwd: string
let served: Served
let browser: Browser
beforeAll(async () => {
  cwd = await mkdtemp(join(tmpdir(), 'countersign-link-'))
  served = await serve([], { cwd })
  browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking', '--disable-component-update'],
  })
})
afterAll(async () => {
  await browser?.close()
  await served?.stop()
  if (cwd) await rm(cwd, { recursive: true, force: true })
})

async function linkInLog(): Promise<string> {
  for (let i = 0; i < 6_000; i++) {
    const id = /"event":"one_time_requested".*?"id":"([\w-]{24})"/.exec(served.stderr())?.[1]
    if (id) {
      const port = new URL(served.url).port
      const shown = await run(['one-time', 'show', id, '--unsafe-print-link', '--port', port, '--json'], { cwd })
      return JSON.parse(shown.stdout).link
    }
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
  throw new Error('nothing was requested')
}

test('forgot, follow the link, set a new password, log in; the token leaves the address bar and goes to no log', async () => {
  await new Client(served.url).register('alice@example.com')
  const page = await (await browser.newContext()).newPage()
  const says = (text: string) =>
    page.waitForFunction((expected) => document.querySelector('#who')?.textContent?.includes(expected), text)
  await page.goto(served.url)
  await page.locator('#login').waitFor()
  await page.fill('#identifier', 'alice@example.com')
  await page.click('#forgot')
  await says('a link is on its way')

  const link = await linkInLog()
  const requested: string[] = []
  page.on('request', (request) => requested.push(request.url()))
  await page.goto(link)
  await page.reload().catch(() => undefined)
  await page.goto('about:blank')
  await page.goto(link)
  await page.locator('#reset').waitFor()
  expect(page.url()).toBe(`${served.url}/`)
  await page.fill('#new-password', NEW_PASSWORD)
  await page.click('#reset button')
  await says('The password is set')
  expect(await page.locator('#reset').isVisible()).toBe(false)
  await page.fill('#identifier', 'alice@example.com')
  await page.fill('#password', NEW_PASSWORD)
  await page.click('#login button[type=submit]')
  await says('Logged in as')
  const token = link.split('=')[1]!
  expect(requested.filter((url) => url.includes('cs1_') && !url.includes('#'))).toEqual([])
  expect(served.stderr()).not.toContain(token)

  await page.goto('about:blank')
  await page.goto(link)
  await page.locator('#reset').waitFor()
  await page.fill('#new-password', `${NEW_PASSWORD} 2`)
  await page.click('#reset button')
  await says('This link is not good any more')
})
