// Forgotten passwords and addresses to verify, over HTTP: OWASP Forgot Password, ASVS 6.3.8, 6.4.3, 6.4.6, 14.2.1.
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { run, type Served, serve } from './process.ts'
import { Client, PASSWORD, problemIn, startApp, type TestApp } from './support.ts'

const NEW_PASSWORD = 'another long enough sentence'
const until = async <T>(find: () => T | undefined): Promise<T> => {
  for (let i = 0; i < 6_000; i++) {
    const found = find()
    if (found !== undefined) return found
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
  throw new Error('it never came')
}

describe.each(['memory', 'sqlite', 'redis', 'postgres'] as const)('on %s', (store) => {
  let app: TestApp
  beforeAll(async () => {
    app = await startApp({ store })
  })
  afterAll(() => app.close())
  const requests = () =>
    app.logged.map((line) => JSON.parse(line)).filter((line) => line.event === 'one_time_requested')
  /** The link that a request brings, made from the id in the log as whoever delivers does. */
  const linkAfter = async (request: () => Promise<unknown>) => {
    const before = requests().length
    await request()
    const { id } = await until(() => requests()[before])
    return app.oneTime.tokenFor(id)
  }

  test('forgot, reset, log in; all sessions are over, and no new one was opened', async () => {
    const client = app.client()
    await client.register('alice@example.com')
    await client.login('alice@example.com')
    const visitor = app.client()
    const token = await linkAfter(() => visitor.post('/auth/password/forgot', { identifier: ' Alice@Example.com ' }))
    const done = await visitor.post('/auth/password/reset', { token, newPassword: NEW_PASSWORD })
    expect([done.status, done.text, done.cookies]).toEqual([204, '', []])
    expect((await client.get('/auth/session')).body).toMatchObject({ reason: 'ended', endedBy: 'password_changed' })
    expect((await visitor.login('alice@example.com')).status).toBe(401)
    expect((await visitor.login('alice@example.com', { password: NEW_PASSWORD })).status).toBe(200)
    expect(app.logged.some((line) => line.includes('"event":"password_reset"'))).toBe(true)
    const again = await visitor.post('/auth/password/reset', { token, newPassword: PASSWORD })
    expect(problemIn(again)).toMatchObject({ status: 422, code: 'link_invalid', remedy: 'none' })
  })

  test('forgot answers everybody alike', async () => {
    await app.client().register('bob@example.com')
    const answers = []
    for (const identifier of ['bob@example.com', 'nobody@example.com', 'no address', '\u202e', 'x'.repeat(2_000)]) {
      const answer = await app.client().post('/auth/password/forgot', { identifier })
      const headers = [...answer.headers].filter(([name]) => !['date', 'connection', 'keep-alive'].includes(name))
      answers.push({ status: answer.status, text: answer.text, headers: Object.fromEntries(headers) })
    }
    expect(answers[0]).toMatchObject({ status: 202, text: '{"accepted":true}' })
    for (const answer of answers) expect(answer).toEqual(answers[0])
  })

  test('an address is verified by its link', async () => {
    const client = app.client()
    const { body } = await client.register('carol@example.com')
    expect(body.account.emailVerified).toBe(false)
    await client.login('carol@example.com')
    expect((await app.client().post('/auth/email/verify/request', {})).status).toBe(401)
    const token = await linkAfter(() => client.post('/auth/email/verify/request', {}))
    // A link of one kind is not one of the other.
    const reset = await client.post('/auth/password/reset', { token, newPassword: NEW_PASSWORD })
    expect(reset.body.code).toBe('link_invalid')
    expect((await app.client().post('/auth/email/verify', { token })).status).toBe(204)
    expect(await app.accounts.find('carol@example.com')).toMatchObject({ emailVerifiedAtMs: expect.any(Number) })
    expect((await app.client().post('/auth/email/verify', { token })).body.code).toBe('link_invalid')
  })

  test('a refused password leaves the link good; a reset token in the query is never read', async () => {
    const client = app.client()
    await client.register('dave@example.com')
    const token = await linkAfter(() => client.post('/auth/password/forgot', { identifier: 'dave@example.com' }))
    const short = await client.post('/auth/password/reset', { token, newPassword: 'short' })
    expect(short.body.code).toBe('password_too_short')
    const query = await client.post(`/auth/password/reset?token=${token}`, { newPassword: NEW_PASSWORD })
    expect([query.status, query.body.code]).toEqual([400, 'invalid_request'])
    expect((await client.post('/auth/password/reset', { token, newPassword: NEW_PASSWORD })).status).toBe(204)
  })

  test('no link is in the log', async () => {
    const ids = requests().map(({ id }) => id as string)
    expect(ids.length).toBeGreaterThan(3)
    const log = app.logged.join('')
    for (const id of ids) {
      const token = app.oneTime.tokenFor(id)
      expect(log).not.toContain(token.slice(4, 60))
      expect(log).not.toContain(Buffer.from(token.slice(4), 'base64url').subarray(19, 51).toString('hex'))
    }
    expect(log).not.toContain('cs1_')
  })
})

describe('what nobody waits for', () => {
  test('the answer does not wait for the store, and closing does', async () => {
    const app = await startApp()
    let release = () => {}
    const held = new Promise<void>((resolve) => {
      release = resolve
    })
    const { accounts } = app
    const original = app.store.accounts.subjectOf
    app.store.accounts.subjectOf = async (ref) => {
      await held
      return original(ref)
    }
    expect(accounts).toBeDefined()
    const answer = await app.client().post('/auth/password/forgot', { identifier: 'x@example.com' })
    expect(answer.status).toBe(202)
    let closed = false
    const closing = app.close().then(() => {
      closed = true
    })
    await new Promise((resolve) => setTimeout(resolve, 100))
    expect(closed).toBe(false)
    release()
    await closing
    expect(app.logged.some((line) => line.includes('password_reset_requested'))).toBe(true)
  })

  test('a fault of the store is in the log, and the answer is the same', async () => {
    const app = await startApp({ store: 'redis' })
    await app.client().register('x@example.com')
    await app.stopStore()
    const answer = await app.client().post('/auth/password/forgot', { identifier: 'x@example.com' })
    expect([answer.status, answer.text]).toEqual([202, '{"accepted":true}'])
    await until(() => app.logged.find((line) => line.includes('background_fault')))
    await app.close()
  })
})

describe('delivery', () => {
  const cwd = mkdtempSync(join(tmpdir(), 'countersign-mail-'))
  afterAll(() => rmSync(cwd, { recursive: true, force: true }))
  let served: Served | undefined
  afterEach(async () => {
    await served?.stop()
    served = undefined
  })
  const mails = () => {
    try {
      return readFileSync(join(cwd, 'mails'), 'utf8')
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line))
    } catch {
      return []
    }
  }
  const program = (name: string, body: string) => {
    const path = join(cwd, name)
    writeFileSync(path, `#!/bin/sh\n${body}\n`)
    chmodSync(path, 0o755)
    return path
  }
  const spoofed = { host: 'evil.example', 'x-forwarded-host': 'evil.example', 'x-forwarded-proto': 'http' }

  test('a program gets each mail once, with a link to the configured place; what it prints is dropped', async () => {
    const mail = program(
      'mail',
      `cat >> '${join(cwd, 'mails')}'; env > '${join(cwd, 'env')}'; echo printed; echo printed >&2`,
    )
    const args = [
      '--mail-command',
      mail,
      '--public-url',
      'https://auth.example.com',
      '--link-url',
      'https://app.example.com/account',
    ]
    served = await serve(args, { cwd, env: { COUNTERSIGN_GRACE: '9s' } })
    const client = new Client(served.url, { origin: 'https://auth.example.com', ...spoofed })
    await client.register('alice@example.com')
    await client.register('bob')
    for (const identifier of ['alice@example.com', 'bob', 'nobody@example.com']) {
      await client.post('/auth/password/forgot', { identifier })
    }
    const [first] = await until(() => (mails().length > 0 ? mails() : undefined))
    expect(first).toEqual({
      kind: 'password_reset',
      to: 'alice@example.com',
      subject: expect.any(String),
      link: expect.stringMatching(/^https:\/\/app\.example\.com\/account#password_reset=cs1_[\w-]{111}$/),
      expiresAt: expect.stringMatching(/Z$/),
    })
    const token = first.link.split('=')[1]
    expect((await client.post('/auth/password/reset', { token, newPassword: NEW_PASSWORD })).status).toBe(204)
    const [, second, ...others] = await until(() => (mails().length > 1 ? mails() : undefined))
    expect(second).toEqual({ kind: 'password_was_reset', to: 'alice@example.com', subject: first.subject })
    expect(others).toEqual([])
    expect(readFileSync(join(cwd, 'env'), 'utf8')).not.toContain('COUNTERSIGN_')
    await served.stop()
    expect(served.stderr()).toContain('"event":"mail_sent"')
    expect(served.stderr()).not.toContain('printed')
    expect(served.stderr()).not.toContain(token.slice(0, 40))
  })

  test('a program that fails is in the log, with its exit code and without the link', async () => {
    const mail = program('broken', 'exit 7')
    served = await serve(['--mail-command', mail, '--public-url', 'http://127.0.0.1:1'], { cwd })
    const client = new Client(served.url, { origin: 'http://127.0.0.1:1' })
    await client.post('/auth/password/forgot', { identifier: 'alice@example.com' })
    const { stderr } = served
    await until(() => (stderr().includes('mail_failed') ? true : undefined))
    expect(stderr()).toContain('"problem":"exit code 7"')
    expect(stderr()).not.toContain('cs1_')
  })

  test('in development the operator shows a link by its id, and only when told twice', async () => {
    served = await serve([], { cwd })
    const client = new Client(served.url)
    await client.post('/auth/password/forgot', { identifier: 'alice@example.com' })
    const { stderr } = served
    const id = await until(() => /"event":"one_time_requested".*?"id":"([\w-]{24})"/.exec(stderr())?.[1])
    const plain = await run(['one-time', 'show', id, '--json'], { cwd })
    expect([plain.code, plain.stderr]).toEqual([0, ''])
    expect(JSON.parse(plain.stdout)).toEqual({
      purpose: 'password_reset',
      subject: expect.any(String),
      expiresAt: expect.any(String),
    })
    const shown = await run(['one-time', 'show', id, '--unsafe-print-link', '--port', new URL(served.url).port], {
      cwd,
    })
    const link = shown.stdout.trim().split('\n')[1]!
    expect(link.startsWith(`${served.url}/#password_reset=cs1_`)).toBe(true)
    const token = link.split('=')[1]
    expect((await client.post('/auth/password/reset', { token, newPassword: `${NEW_PASSWORD} 2` })).status).toBe(204)
    const used = await run(['one-time', 'show', id, '--unsafe-print-link'], { cwd })
    expect([used.code, used.stdout]).toEqual([4, ''])
    expect((await run(['one-time', 'show', 'nonsense'], { cwd })).code).toBe(2)
  })
})
