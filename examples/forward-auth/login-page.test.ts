/// <reference lib="dom" />
// A person with a real browser behind nginx: sent to the login and back, once.
import { type Browser, chromium, type Page } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { PASSWORD, type Stack, startStack } from './stack.ts'

let stack: Stack
let browser: Browser
beforeAll(async () => {
  // Below /shop/lost the cookie gets lost, as it might behind another proxy.
  const edit = (text: string) =>
    text.replace(
      'proxy_set_header Cookie $http_cookie;',
      'set $found $http_cookie; if ($request_uri ~ ^/shop/lost) { set $found ""; } proxy_set_header Cookie $found;',
    )
  stack = await startStack('nginx', { edit })
  browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking', '--disable-component-update'],
  })
})
afterAll(async () => {
  await browser?.close()
  await stack?.close()
})

const logIn = async (page: Page, identifier: string) => {
  await page.locator('#login').waitFor()
  await page.fill('#identifier', identifier)
  await page.fill('#password', PASSWORD)
  await page.click('#login button[type=submit]')
}
const says = (page: Page, text: string) =>
  page.waitForFunction((expected) => document.querySelector('#who')?.textContent?.includes(expected), text)
/** What the upstream says that it was sent. */
const received = async (page: Page) => JSON.parse((await page.textContent('body')) ?? '')

test('sent to the login, and back to where they wanted to go', async () => {
  const page = await (await browser.newContext()).newPage()
  await page.goto(`${stack.url}/shop/orders?page=2`)
  expect(page.url()).toBe(`${stack.url}/auth/login?return_to=%2Fshop%2Forders%3Fpage%3D2`)
  await says(page, 'Log in to go on')
  await logIn(page, 'alice@example.com')
  await page.waitForURL(`${stack.url}/shop/orders?page=2`)
  const { upstream, url, fields } = await received(page)
  expect([upstream, url]).toEqual(['shop', '/shop/orders?page=2'])
  expect(JSON.stringify(fields)).not.toContain('__Host-')
  await page.context().close()
})

test('an access cookie that is over is renewed on the way, and nobody sees a login', async () => {
  const context = await browser.newContext()
  const page = await context.newPage()
  await page.goto(`${stack.url}/shop/`)
  await logIn(page, 'alice@example.com')
  await page.waitForURL(`${stack.url}/shop/`)
  await context.clearCookies({ name: '__Host-access' })
  await page.goto(`${stack.url}/shop/again`).catch(() => undefined)
  await page.waitForURL(`${stack.url}/shop/again`)
  expect((await received(page)).url).toBe('/shop/again')
  await context.close()
})

test('whoever is refused all the same is told so, and does not go round in circles', async () => {
  const context = await browser.newContext()
  const page = await context.newPage()
  await page.goto(`${stack.url}/shop/`)
  await logIn(page, 'alice@example.com')
  await page.waitForURL(`${stack.url}/shop/`)
  const visited: string[] = []
  page.on('framenavigated', (frame) => visited.push(new URL(frame.url()).pathname))
  await page.goto(`${stack.url}/shop/lost`).catch(() => undefined)
  await says(page, 'the page that you came from refused it')
  expect(page.url()).toBe(`${stack.url}/auth/login?return_to=%2Fshop%2Flost&again=1`)
  expect(visited.filter((path) => path === '/auth/login').length).toBeLessThanOrEqual(2)
  await context.close()
})

test('no way back leads to another origin', async () => {
  const context = await browser.newContext()
  const page = await context.newPage()
  await page.goto(`${stack.url}/auth/login`)
  await logIn(page, 'alice@example.com')
  await says(page, 'Logged in as')
  const left: string[] = []
  page.on('request', (request) => request.url().startsWith(stack.url) || left.push(request.url()))
  for (const target of [
    'https://evil.example/',
    '//evil.example/',
    '/\\evil.example/',
    '/..//evil.example/',
    'javascript:alert(1)',
    '/\t/evil.example',
    '\\\\evil.example',
  ]) {
    await page.goto(`${stack.url}/auth/login?return_to=${encodeURIComponent(target)}`)
    // Where it leads nowhere, the page stays as it is.
    await says(page, 'Logged in as')
  }
  expect(left).toEqual([])
  await context.close()
})
