// `explain`, `keys rotate`, `keys retire` and `doctor`, as commands beside a real server.
import { chmodSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest'
import { startPostgres } from '../../../tools/test-support/postgres-server.ts'
import { post, testClient } from './oauth-support.ts'
import { run, type Served, serve } from './process.ts'
import { bearer, Client, PASSWORD } from './support.ts'

const root = mkdtempSync(join(tmpdir(), 'countersign-care-'))
afterAll(() => rmSync(root, { recursive: true, force: true }))
let folders = 0
const folder = () => mkdtempSync(join(root, `${++folders}-`))
const at = (cwd: string) => ({
  command: (args: string[], input?: string) => run(args, { cwd, ...(input !== undefined && { input }) }),
  async json(args: string[], input?: string) {
    const done = await run([...args, '--json'], { cwd, ...(input !== undefined && { input }) })
    return { ...done, value: done.stdout ? JSON.parse(done.stdout) : undefined }
  },
})
const keysIn = (cwd: string) => {
  const path = join(cwd, 'countersign-data', 'keys.json')
  return { path, read: () => JSON.parse(readFileSync(path, 'utf8')) }
}
let served: Served | undefined
afterEach(async () => {
  await served?.stop()
  served = undefined
})
const starting = async (cwd: string, args: string[] = []) => {
  await served?.stop()
  served = await serve(args, { cwd })
  return new Client(served.url, { origin: '' })
}

describe('explain', () => {
  const cwd = folder()
  const { command, json } = at(cwd)
  const billing = 'https://billing.test'
  const orders = testClient('orders', { audiences: [billing], scopes: ['read'] })
  beforeAll(() => {
    const content = { clients: [orders.setting], issuer: 'https://auth.test' }
    writeFileSync(join(cwd, 'config.json'), JSON.stringify(content))
  })
  const withConfig = ['--config', 'config.json']

  test('every kind of token, accepted and refused, and never the token itself', async () => {
    let client = await starting(cwd, withConfig)
    await new Client(served!.url).register('alice@example.com')
    const { accessToken, refreshToken, session } = (await client.login('alice@example.com', { delivery: 'bearer' }))
      .body
    const form = { grant_type: 'client_credentials', client_assertion: orders.assertion() }
    const type = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'
    const service = (await post(`${served!.url}/oauth/token`, { ...form, client_assertion_type: type })).body
      .access_token
    const browser = new Client(served!.url)
    await browser.post('/auth/password/forgot', { identifier: 'alice@example.com' })
    let id: string | undefined
    while (!id) {
      await new Promise((resolve) => setTimeout(resolve, 20))
      id = /"event":"one_time_requested".*?"id":"([\w-]{24})"/.exec(served!.stderr())?.[1]
    }
    const shown = await json(['one-time', 'show', id, '--unsafe-print-link', ...withConfig])
    const link: string = shown.value.link.split('=')[1]

    const explain = async (token: string, code: number) => {
      const done = await json(['explain', ...withConfig], `  ${token}\n`)
      expect([done.code, done.stderr]).toEqual([code, ''])
      const text = await command(['explain', ...withConfig], token)
      for (const out of [done.stdout, text.stdout]) {
        if (token.length > 34) expect(out).not.toContain(token.slice(-20))
        expect(out).not.toMatch(/eyJ|cs[1or]_/)
      }
      return done.value
    }
    const about = { accepted: true, sessionId: session.id, subject: session.subject }
    expect(await explain(accessToken, 0)).toMatchObject({
      kind: 'access_token',
      ...about,
      claims: { sub: session.subject },
    })
    expect(await explain(refreshToken, 0)).toMatchObject({ kind: 'refresh_token', ...about, generation: 0 })
    expect(await explain(session.id, 0)).toMatchObject({ kind: 'session_id', accepted: true, subject: session.subject })
    expect(await explain(link, 0)).toMatchObject({
      kind: 'one_time_token',
      accepted: true,
      purpose: 'password_reset',
      id,
      subject: session.subject,
    })
    expect(await explain(service, 0)).toMatchObject({
      kind: 'service_token',
      accepted: true,
      claims: { aud: billing, scope: 'read' },
    })
    expect(await explain('nonsense', 4)).toEqual({
      kind: 'unrecognised',
      accepted: false,
      reason: 'malformed',
      remedy: 'sign_in',
    })
    expect(await explain(`${accessToken.slice(0, -8)}AAAAAAAA`, 4)).toMatchObject({
      accepted: false,
      reason: 'bad_signature',
    })
    expect(await explain(`cs1_${'A'.repeat(111)}`, 4)).toMatchObject({ kind: 'one_time_token', accepted: false })

    client = new Client(served!.url, { origin: '' })
    await client.post('/auth/logout', undefined, bearer(accessToken))
    for (const token of [accessToken, refreshToken, session.id]) {
      expect(await explain(token, 4)).toMatchObject({
        accepted: false,
        reason: 'ended',
        endedBy: 'logout',
        remedy: 'sign_in',
      })
    }
    await browser.post('/auth/password/reset', { token: link, newPassword: `${PASSWORD} 2` })
    expect(await explain(link, 4)).toMatchObject({ kind: 'one_time_token', accepted: false, reason: 'unknown', id })
  })

  test('nothing on standard input: a wrong command line', async () => {
    const { code, stderr } = await command(['explain', ...withConfig], '\n')
    expect([code, stderr]).toEqual([2, 'countersign: no token was given: it is read from standard input\n'])
  })
})

describe('keys rotate and retire', () => {
  test('all three, in front of live sessions: nobody is logged out', { timeout: 600_000 }, async () => {
    const cwd = folder()
    const { command, json } = at(cwd)
    const { path, read } = keysIn(cwd)
    const client = await starting(cwd, ['--grace', '1s'])
    await new Client(served!.url).register('alice@example.com')
    const publishedAt = (use: string, kid: string, ms: number) => {
      const file = read()
      file[use].find((key: any) => key.kid === kid).since = new Date(ms).toISOString()
      writeFileSync(path, JSON.stringify(file))
    }
    const takenUp = async ({ kid, state }: { kid: string; state: string }) => {
      served!.child.kill('SIGHUP')
      const told = () =>
        served!
          .stderr()
          .split('\n')
          .findLast((line) => line.includes('"keys_taken_up"'))
      await vi.waitFor(() => expect(told()).toContain(` ${state} ${kid}"`), 60_000)
    }
    let { accessToken, refreshToken } = (await client.login('alice@example.com', { delivery: 'bearer' })).body
    const before = read()

    for (const [use, more] of [
      ['mac', []],
      ['rotation', []],
      ['signing', ['--alg', 'Ed25519']],
      ['signing', []],
    ] as const) {
      const none = await command(['keys', 'rotate', use, ...more])
      expect([none.code, none.stdout]).toEqual([4, ''])
      expect(none.stderr).toContain(`first ${['countersign keys rotate', use, ...more].join(' ')} --prepare`)
      const prepared = await json(['keys', 'rotate', use, '--prepare', ...more])
      expect([prepared.code, prepared.stderr]).toEqual([0, ''])
      expect(prepared.value).toMatchObject({ use, state: 'pending', retiring: [] })
      await takenUp(prepared.value)
      expect((await client.get('/auth/session', bearer(accessToken))).status).toBe(200)
      // Twice is no other: the one that was added is still to come.
      expect((await json(['keys', 'rotate', use, '--prepare', ...more])).value.kid).toBe(prepared.value.kid)

      // Whenever the commands come to run: as if it had been published just now, and long ago.
      publishedAt(use, prepared.value.kid, Date.now() + 3_600_000)
      const early = await command(['keys', 'rotate', use, ...more])
      expect([early.code, early.stdout]).toEqual([4, ''])
      expect(early.stderr).toMatch(/has not been published long enough: .* \(until 2/)
      const isForced = use === 'mac'
      if (!isForced) publishedAt(use, prepared.value.kid, 0)
      const rotated = await json(['keys', 'rotate', use, ...(isForced ? ['--now'] : []), ...more])
      expect(rotated.value).toMatchObject({
        use,
        state: 'active',
        kid: prepared.value.kid,
        retiring: [expect.any(String)],
      })
      expect(statSync(path).mode & 0o777).toBe(0o600)
      await takenUp(rotated.value)
      expect((await client.get('/auth/session', bearer(accessToken))).status).toBe(200)
      await new Promise((resolve) => setTimeout(resolve, 20))
      const refreshed = await client.post('/auth/refresh', { refreshToken })
      expect(refreshed.status).toBe(200)
      accessToken = refreshed.body.accessToken
      refreshToken = refreshed.body.refreshToken
      expect((await client.get('/auth/session', bearer(accessToken))).status).toBe(200)
    }
    const header = JSON.parse(Buffer.from(accessToken.split('.')[0], 'base64url').toString())
    expect(header.alg).toBe('Ed25519')
    const after = read()
    expect(after.placement).toEqual(before.placement)
    expect(after.mac.map((key: any) => [key.number, key.state])).toEqual([
      [1, 'retiring'],
      [2, 'active'],
    ])
    expect(after.signing.map((key: any) => [key.alg, key.state])).toEqual([
      ['ES256', 'retiring'],
      ['Ed25519', 'retiring'],
      ['Ed25519', 'active'],
    ])
    expect(readdirSync(join(cwd, 'countersign-data')).filter((name) => name.includes('new'))).toEqual([])

    // Too early, then told to, and then it is refused.
    const [old] = before.mac
    const early = await command(['keys', 'retire', old.kid])
    expect([early.code, early.stdout]).toEqual([4, ''])
    expect(early.stderr).toMatch(/may still be presented: refresh tokens and links live that long \(until 2/)
    expect(read()).toEqual(after)
    const active = await command(['keys', 'retire', after.mac[1].kid])
    expect([active.code, active.stderr]).toEqual([
      2,
      'countersign: "kid" is in use: rotate first, or withdraw it (ERR_INPUT_INVALID)\n',
    ])
    expect((await command(['keys', 'retire', after.placement.kid])).code).toBe(2)
    expect((await command(['keys', 'retire', 'nobody'])).code).toBe(3)
    const forced = await json(['keys', 'retire', old.kid, '--force'])
    expect([forced.code, forced.value.state]).toEqual([0, 'retired'])
    // Not of an old key: its time is over.
    const longAgo = read()
    longAgo.rotation[0].since = '2020-01-01T00:00:00.000Z'
    writeFileSync(path, JSON.stringify(longAgo))
    expect((await json(['keys', 'retire', longAgo.rotation[0].kid])).value.state).toBe('retired')
    const listed = await command(['keys', 'list'])
    expect(listed.stdout).toMatch(/mac +1 +HS256 +retired/)
    for (const key of [...read().mac, ...read().rotation]) expect(early.stderr + listed.stdout).not.toContain(key.k)
  })

  test('after a change of algorithm the old key is withdrawn, then retired', async () => {
    const cwd = folder()
    const { command, json } = at(cwd)
    await command(['keys', 'generate', '--out', 'keys.json'])
    const keys = ['--keys', 'keys.json']
    const { signing } = JSON.parse(readFileSync(join(cwd, 'keys.json'), 'utf8'))
    const old = signing[0].kid
    const only = await command(['keys', 'withdraw', old, ...keys])
    expect([only.code, only.stderr]).toEqual([
      2,
      'countersign: "kid" is the only signing key in use: rotate instead (ERR_INPUT_INVALID)\n',
    ])
    await command(['keys', 'rotate', 'signing', '--alg', 'HS256', '--now', ...keys])
    const withdrawn = await json(['keys', 'withdraw', old, ...keys])
    expect(withdrawn.value).toEqual({ file: 'keys.json', use: 'signing', kid: old, state: 'retiring' })
    expect((await command(['keys', 'withdraw', 'nobody', ...keys])).code).toBe(3)
    const early = await command(['keys', 'retire', old, ...keys])
    expect([early.code, early.stderr]).toEqual([4, expect.stringMatching(/access tokens live that long \(until 2/)])
  })

  test('numbers end at 255, and nothing is changed then', async () => {
    const cwd = folder()
    const { command } = at(cwd)
    await command(['keys', 'generate', '--out', 'keys.json'])
    const path = join(cwd, 'keys.json')
    const file = JSON.parse(readFileSync(path, 'utf8'))
    file.mac[0].number = 255
    const text = JSON.stringify(file)
    writeFileSync(path, text)
    const done = await command(['keys', 'rotate', 'mac', '--now', '--keys', 'keys.json'])
    expect([done.code, done.stdout]).toEqual([2, ''])
    expect(done.stderr).toMatch(/"mac" has used up its numbers/)
    expect(readFileSync(path, 'utf8')).toBe(text)
    expect(existsSync(`${path}.new`)).toBe(false)
  })

  test('of two at once one is refused; a draft that is left over is named', async () => {
    const cwd = folder()
    const { command } = at(cwd)
    await command(['keys', 'generate', '--out', 'keys.json'])
    writeFileSync(join(cwd, 'keys.json.new'), '')
    const done = await command(['keys', 'rotate', 'mac', '--now', '--keys', 'keys.json'])
    expect(done.code).toBe(1)
    expect(done.stderr).toMatch(/keys\.json\.new is there/)
    rmSync(join(cwd, 'keys.json.new'))
    const all = await Promise.all(
      [1, 2, 3].map(() => command(['keys', 'rotate', 'mac', '--now', '--keys', 'keys.json'])),
    )
    const { mac } = JSON.parse(readFileSync(join(cwd, 'keys.json'), 'utf8'))
    expect(mac).toHaveLength(1 + all.filter(({ code }) => code === 0).length)
    expect(mac.filter((key: any) => key.state === 'active')).toHaveLength(1)
  })

  test('a group that may read may still', async () => {
    const cwd = folder()
    const { command } = at(cwd)
    await command(['keys', 'generate', '--out', 'keys.json'])
    chmodSync(join(cwd, 'keys.json'), 0o640)
    expect((await command(['keys', 'rotate', 'rotation', '--prepare', '--keys', 'keys.json'])).code).toBe(0)
    expect(statSync(join(cwd, 'keys.json')).mode & 0o777).toBe(0o640)
  })

  test('wrong command lines', async () => {
    const { command } = at(folder())
    expect((await command(['keys', 'rotate', 'placement'])).code).toBe(2)
    expect((await command(['keys', 'rotate', 'mac', '--alg', 'ES256'])).code).toBe(2)
    expect((await command(['keys', 'rotate', 'signing', '--alg', 'RS256'])).code).toBe(2)
    expect((await command(['keys', 'rotate', 'mac'])).code).toBe(2)
  })
})

describe('doctor', () => {
  const statuses = (findings: { check: string; status: string }[]) =>
    findings.map(({ check, status }) => `${check} ${status}`)

  test('before the first start: it would do, and nothing is made', async () => {
    const cwd = folder()
    const { json, command } = at(cwd)
    const { code, value } = await json(['doctor'])
    expect(code).toBe(0)
    expect(statuses(value)).toEqual(['configuration ok', 'configuration warning', 'delivery warning', 'keys ok'])
    expect(readdirSync(cwd)).toEqual([])
    const text = await command(['doctor'])
    expect(text.stdout).toMatch(/^ok +configuration: can be used$/m)
    expect(text.stdout).toMatch(/^warning +delivery: .* -> set --mail-command$/m)
  })

  test('a store that works; old keys and numbers that run out are named', async () => {
    const cwd = folder()
    const { json } = at(cwd)
    await starting(cwd)
    const { path, read } = keysIn(cwd)
    const file = read()
    file.mac[0].number = 251
    file.rotation[0].created = '2020-01-01T00:00:00.000Z'
    writeFileSync(path, JSON.stringify(file))
    const { code, value } = await json([
      'doctor',
      '--public-url',
      'https://auth.example.com',
      '--mail-command',
      '/bin/true',
    ])
    expect(code).toBe(0)
    expect(statuses(value)).toEqual(['configuration ok', 'keys ok', 'keys warning', 'keys warning', 'store ok'])
    expect(value[3]).toMatchObject({ advice: 'countersign keys rotate rotation --prepare' })
  })

  test('what would keep it from starting: 2 for configuration and keys, 1 for the store', async () => {
    const cwd = folder()
    const { json, command } = at(cwd)
    const wrong = await json(['doctor', '--port', 'x', '--idle', 'y'])
    expect([wrong.code, statuses(wrong.value)]).toEqual([2, ['configuration failed', 'configuration failed']])
    expect((await json(['doctor', '--keys', 'none.json'])).code).toBe(2)
    const mail = await json(['doctor', '--mail-command', '/nowhere/mail', '--public-url', 'https://a.example'])
    expect([mail.code, statuses(mail.value)]).toContain(2)
    await command(['keys', 'generate', '--out', 'keys.json'])
    for (const store of ['redis://user:canary@127.0.0.1:1', 'postgres://user:canary@127.0.0.1:1/canary']) {
      const down = await json(['doctor', '--keys', 'keys.json', '--store', store])
      expect(down.code).toBe(1)
      expect(statuses(down.value).at(-1)).toBe('store failed')
      expect(down.stdout + down.stderr).not.toContain('canary')
    }
    const hs = JSON.parse(readFileSync(join(cwd, 'keys.json'), 'utf8'))
    hs.signing[0].state = 'retiring'
    writeFileSync(join(cwd, 'keys.json'), JSON.stringify(hs))
    const unsigned = await json(['doctor', '--keys', 'keys.json'])
    expect(unsigned.code).toBe(2)
    expect(unsigned.value.at(-1)).toMatchObject({
      status: 'failed',
      advice: expect.stringMatching(/keys rotate signing/),
    })
  })

  test('on PostgreSQL: what works, what is weak, and what a start would be refused for', async () => {
    const { json, command } = at(folder())
    await command(['keys', 'generate', '--out', 'keys.json'])
    const postgres = await startPostgres({ settings: { full_page_writes: 'off' }, password: 'canary of the superuser' })
    try {
      const look = async (url: string) => {
        const { code, stdout, value } = await json(['doctor', '--keys', 'keys.json', '--store', url])
        expect(stdout).not.toContain('canary')
        return { code, store: value.filter(({ check }: { check: string }) => check === 'store') }
      }
      const works = await look(postgres.url)
      expect([works.code, statuses(works.store)]).toEqual([0, ['store ok', 'store warning']])
      expect(works.store[1].message).toMatch(/^full_page_writes is off/)

      await postgres.query("CREATE ROLE guest LOGIN PASSWORD 'canary of the guest'")
      await postgres.createDatabase('bare')
      await postgres.query("CREATE DATABASE latin TEMPLATE template0 ENCODING LATIN1 LOCALE 'C'")
      const guest = `postgres://guest:${encodeURIComponent('canary of the guest')}@127.0.0.1:${postgres.port}/bare`
      for (const [what, url, message] of [
        ['a wrong password', guest.replace('canary', 'canaries'), /password authentication failed|28P01/],
        ['no such database', postgres.url.replace(/postgres$/, 'nowhere'), /does not exist|3D000/],
        ['may not make the schema', guest, /permission denied|42501/],
        ['another encoding', postgres.url.replace(/postgres$/, 'latin'), /encoding LATIN1; UTF8 is needed/],
      ] as const) {
        const { code, store } = await look(url)
        expect([what, code, statuses(store)]).toEqual([what, 1, ['store failed']])
        expect(store[0].message).toMatch(message)
      }
    } finally {
      await postgres.stop()
    }
  })
})
