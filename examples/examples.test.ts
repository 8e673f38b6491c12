// Every example starts with the command in its first line and does what its comment says.
import { type ChildProcess, spawn } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import { root } from '../tools/files.ts'

const running: ChildProcess[] = []
afterEach(async () => {
  for (const child of running.splice(0)) {
    const ended = new Promise((resolve) => child.once('exit', resolve))
    // With all that it has started: tsx runs a program in a process of its own, which would stay.
    process.kill(-child.pid!, 'SIGKILL')
    await ended
  }
})

/** A port that is free now. Examples need to know theirs before they listen. */
async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}

/** Starts what the first comment says. */
async function start(file: string, env: Record<string, string> = {}): Promise<string> {
  const [line = ''] = readFileSync(join(root, file), 'utf8').split('\n')
  const command = /^\/\/ .*: npx (tsx examples\/\S+\.ts)$/.exec(line)?.[1]
  expect(command).toBe(`tsx ${file}`)
  const port = await freePort()
  const [program, ...args] = command!.split(' ')
  const child = spawn(join(root, 'node_modules/.bin', program!), args, {
    cwd: root,
    env: { ...process.env, NODE_ENV: 'development', PORT: String(port), ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    // A group of its own, to be ended by its id.
    detached: true,
  })
  running.push(child)
  let said = ''
  await new Promise<void>((resolve, reject) => {
    const hear = (chunk: Buffer) => {
      said += String(chunk)
      if (said.includes('listening on')) resolve()
    }
    child.stdout!.on('data', hear)
    child.stderr!.on('data', hear)
    child.once('exit', (code) => reject(new Error(`${file} ended with ${code}: ${said}`)))
  })
  return `http://localhost:${port}`
}

interface Answer {
  readonly status: number
  readonly location: string | undefined
  readonly cookies: readonly string[]
  readonly text: string
}

/** A browser, as far as these need one: keeps cookies by host, says what navigations say. `fetch` says that it is none. */
class Browser {
  readonly #jars = new Map<string, Map<string, string>>()

  async go(url: string, form?: Record<string, string>): Promise<Answer> {
    const { origin } = new URL(url)
    const jar = this.#jars.get(origin) ?? new Map<string, string>()
    this.#jars.set(origin, jar)
    const headers = {
      accept: 'text/html',
      cookie: [...jar].map((one) => one.join('=')).join('; '),
      ...(form && { origin, 'content-type': 'application/x-www-form-urlencoded' }),
    }
    const answer = await new Promise<Answer>((resolve, reject) => {
      const outgoing = request(url, { method: form ? 'POST' : 'GET', headers }, async (response) => {
        let text = ''
        for await (const chunk of response) text += String(chunk)
        const { location, 'set-cookie': cookies = [] } = response.headers
        resolve({ status: response.statusCode ?? 0, location, cookies, text })
      })
      outgoing.on('error', reject)
      outgoing.end(form && new URLSearchParams(form).toString())
    })
    for (const line of answer.cookies) {
      const [, name, value] = /^([^=]+)=([^;]*)/.exec(line)!
      if (value === '' || /; Max-Age=0|Expires=Thu, 01 Jan 1970/i.test(line)) jar.delete(name!)
      else jar.set(name!, value!)
    }
    return answer
  }

  /** Follows redirects to the end. */
  async follow(url: string, form?: Record<string, string>): Promise<{ url: string; status: number; text: string }> {
    let answer = await this.go(url, form)
    for (let at = url; ; ) {
      const { location, status, text } = answer
      if (location === undefined) return { url: at, status, text }
      at = new URL(location, at).href
      answer = await this.go(at)
    }
  }
}

describe('adapters', () => {
  const files = readdirSync(join(root, 'examples/adapters')).filter((name) => /\.ts$/.test(name) && name !== 'setup.ts')
  test.each(files)('%s: log in by the form, be let in, be no admin, log out', async (name) => {
    const origin = await start(`examples/adapters/${name}`)
    const browser = new Browser()
    const login = await browser.follow(`${origin}/`)
    // Nothing says that cookies were not withheld, so the bounce document comes first, and its form leads to the login page.
    expect(login.text).toContain('action="/auth/refresh"')
    const page = await browser.follow(`${origin}/auth/refresh`, { returnTo: '/' })
    expect(page.url).toBe(`${origin}/login?reason=missing&returnTo=%2F`)
    const form = { identifier: 'alice@example.com', returnTo: '/' }
    const wrong = await browser.follow(`${origin}/auth/login`, { ...form, password: 'not the right one at all' })
    expect(wrong.url).toBe(`${origin}/login?reason=bad_credentials&returnTo=%2F`)
    const home = await browser.follow(`${origin}/auth/login`, { ...form, password: 'correct horse battery staple' })
    expect([home.url, home.status]).toEqual([`${origin}/`, 200])
    expect(home.text).toContain('You are ')
    expect((await browser.go(`${origin}/api/admin`)).status).toBe(403)
    const out = await browser.follow(`${origin}/auth/logout`, {})
    expect(out.url).toBe(`${origin}/login`)
    expect((await browser.follow(`${origin}/`)).text).not.toContain('You are ')
  })
})

test('oidc-login: there, log in, back, and the session is ours', async () => {
  const origin = await start('examples/oidc-login/oidc-login.ts')
  const browser = new Browser()
  let page = await browser.follow(`${origin}/login`)
  for (const form of [{ prompt: 'login', login: 'alice', password: 'anything' }, { prompt: 'consent' }]) {
    const action = /<form[^>]*action="([^"]+)"/.exec(page.text)?.[1]
    expect(page.text).toContain(`name="prompt" value="${form.prompt}"`)
    page = await browser.follow(new URL(action!, page.url).href, form as Record<string, string>)
  }
  expect([page.url, page.status]).toEqual([`${origin}/`, 200])
  expect(page.text).toMatch(/You are http:\/\/localhost:\d+#alice/)
  // Somebody who gets hold of the address of the callback has nothing.
  const stranger = await new Browser().go(`${origin}/callback?code=x&state=y`)
  expect(stranger.status).toBe(400)
  expect(stranger.cookies.join()).not.toContain('__Host-access')
})
