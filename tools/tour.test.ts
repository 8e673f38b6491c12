/// <reference lib="dom" />
// The command of every line of docs/tour.md is run, and shows what it is there for. In the short form those that take seconds.
import { type ChildProcess, spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Browser, Page } from 'playwright-core'
import { afterAll, expect, test, vi } from 'vitest'
import { root } from './files.ts'
import { run } from './steps.ts'
import { launchChromium } from './test-support/chromium.ts'
import { isLong } from './test-support/counts.ts'

const MICROBLOG = 'microblog'
/** What each line has to show: in the output of its command, or on its page. */
const SHOWS: Readonly<Record<string, readonly RegExp[] | ((page: Page, password: string) => Promise<void>)>> = {
  'Session basics': async (page, password) => {
    await page.goto('/')
    await logIn(page, password)
    await page.getByRole('button', { name: 'Log out', exact: true }).click()
    await page.getByRole('textbox', { name: 'Password' }).waitFor()
  },
  'A traditional database': [/opaque\/sqlite +✓ dead/, /opaque\/postgres +✓ dead/],
  'A JWT as session': [/stateless\/memory +◷ alive .*to exp/, /stateless\/memory +✓ refused/],
  'Redis sessions': [/A request: let in, for 1 GET/, /s:\S+ +string +\d+ bytes, goes in/, /The same request: ended/],
  'Redis as the only database': async (page, password) => {
    await page.goto('/')
    await logIn(page, password)
    await page.getByLabel('What is new?').fill('Only Redis')
    await page.getByRole('button', { name: 'Post', exact: true }).click()
    await page.getByRole('article').filter({ hasText: 'Only Redis' }).waitFor()
  },
  'JWT and Redis together': [/allowlist\/redis +✓ dead/, /allowlist\/redis +✓ refused/],
  'Session maps': async (page, password) => {
    await page.goto('/')
    await logIn(page, password)
    await page.getByRole('link', { name: 'Devices', exact: true }).click()
    await page
      .getByText(/this device/i)
      .first()
      .waitFor()
  },
  'Redis Cluster': [/25 passed, 0 failed/],
  '`jti` denylist': [/A request: let in, for 1 HGETALL/, /head s:\S+/, /The same request: ended/],
  'Access and refresh tokens': async (page, password) => {
    await page.goto('/')
    await logIn(page, password)
    const cookies = await page.context().cookies()
    expect(cookies.map(({ name, httpOnly, secure, sameSite }) => ({ name, httpOnly, secure, sameSite }))).toEqual([
      { name: '__Host-microblog-refresh', httpOnly: true, secure: true, sameSite: 'Strict' },
    ])
    const stored = await page.evaluate(() => JSON.stringify([{ ...localStorage }, { ...sessionStorage }]))
    expect(stored).not.toMatch(/eyJ|cs[or]_/)
  },
  'Where a JWT is right': [/allowlist\/memory +✓ works once/, /allowlist\/memory +✓ refused/],
  'The comparison': [/jsonwebtoken-exists/, /stateless\/redis/, /report\.html/],
}
/** Seconds each, not minutes. */
const SHORT = new Set(['Redis sessions', '`jti` denylist', 'Where a JWT is right', 'Access and refresh tokens'])

const lines = readFileSync(join(root, 'docs/tour.md'), 'utf8')
  .split('\n')
  .filter((line) => line.includes('| `npm run '))
  .map((line) => {
    const [what, command] = line.split('|').slice(1, 3)
    return { what: what!.trim(), words: /`npm run ([^`]+)`/.exec(command!)![1]!.split(' ') }
  })

let browser: Browser | undefined
let blog: { readonly child: ChildProcess; readonly url: string; readonly password: string } | undefined
afterAll(async () => {
  await browser?.close()
  if (!blog) return
  const ended = new Promise((resolve) => blog!.child.once('exit', resolve))
  process.kill(-blog.child.pid!, 'SIGINT')
  await ended
})

test('says something of every row that has to be shown, and is checked line by line', () => {
  expect(lines.map(({ what }) => what)).toEqual(Object.keys(SHOWS))
})

for (const { what, words } of lines) {
  const isSkipped = !isLong && !SHORT.has(what)
  const title = `${what}: npm run ${words.join(' ')}${isSkipped ? ' [skipped: takes minutes, only in the long form]' : ''}`
  test.skipIf(isSkipped)(title, { timeout: 900_000 }, async () => {
    const shows = SHOWS[what]!
    if (typeof shows !== 'function') {
      const { code, output } = await run('npm', ['run', '-s', ...words], { timeoutMs: 900_000 })
      expect({ code, output: code === 0 ? '' : output }).toEqual({ code: 0, output: '' })
      for (const text of shows) expect(output).toMatch(text)
      return
    }
    expect(words).toEqual([MICROBLOG])
    blog ??= await startBlog()
    browser ??= await launchChromium()
    const context = await browser.newContext({ baseURL: blog.url, locale: 'en-US' })
    try {
      await shows(await context.newPage(), blog.password)
    } finally {
      await context.close()
    }
  })
}

async function logIn(page: Page, password: string): Promise<void> {
  await page.getByLabel('Name').fill('ada')
  await page.getByRole('textbox', { name: 'Password' }).fill(password)
  await page.getByRole('button', { name: 'Log in', exact: true }).click()
  await page.getByRole('button', { name: 'Log out', exact: true }).waitFor()
}

/** As somebody types it, in a group of its own, as a terminal gives it; on a free port. */
async function startBlog() {
  const child = spawn('npm', ['run', '-s', MICROBLOG, '--', '--port', '0'], {
    cwd: root,
    detached: true,
    env: { ...process.env, REDIS_URL: '' },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let output = ''
  child.stdout.on('data', (text) => {
    output += text
  })
  await vi.waitFor(() => expect(output).toContain('password of each'), { timeout: 170_000, interval: 50 })
  return { child, url: /http:\S+/.exec(output)![0], password: /password of each: (.+)/.exec(output)![1]! }
}
