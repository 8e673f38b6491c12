// What the service and its commands say when the store does not take a revocation: never that it is done.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createClient } from 'redis'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { type RedisServer, startRedis } from '../../../tools/test-support/redis-server.ts'
import { run, type Served, serve } from './process.ts'
import { bearer, Client } from './support.ts'

const QUEUED = { ended: 0, effectiveAt: null, durability: 'queued' }

let cwd: string
let redis: RedisServer
let raw: Awaited<ReturnType<typeof connect>>
const connect = (url: string) => createClient({ url }).connect()
beforeAll(async () => {
  cwd = mkdtempSync(join(tmpdir(), 'countersign-durability-'))
  redis = await startRedis({ appendonly: true, appendfsync: 'always' })
  raw = await connect(redis.url)
  expect((await run(['keys', 'generate', '--out', 'keys.json'], { cwd })).code).toBe(0)
})
afterAll(async () => {
  raw?.destroy()
  await redis?.stop()
  rmSync(cwd, { recursive: true, force: true })
})

const storage = () => ['--store', redis.url, '--keys', 'keys.json']
const command = (...args: string[]) => run([...args, ...storage()], { cwd })
const refuse = () => raw.configSet('min-replicas-to-write', '1')
const heal = () => raw.configSet('min-replicas-to-write', '0')

let served: Served | undefined
let count = 0
let identifier: string
beforeEach(() => {
  identifier = `user${++count}@example.com`
})
afterEach(async () => {
  await heal()
  await served?.stop('SIGKILL')
  served = undefined
})

async function start(...args: string[]) {
  served = await serve([...storage(), ...args], { cwd })
  const client = new Client(served.url, {})
  await client.register(identifier)
  const login = async () => (await client.login(identifier, { delivery: 'bearer' })).body
  const program = new Client(served.url, { origin: '' })
  return { login, program }
}

async function until(what: () => Promise<boolean>): Promise<void> {
  for (const deadline = Date.now() + 20_000; !(await what()); ) {
    if (Date.now() > deadline) throw new Error(`not within 20 s: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

test('logging out, and logging out everywhere, is 202 and not done, is refused here at once, and done later', async () => {
  const { login, program } = await start()
  const [a, b, c] = [await login(), await login(), await login()]
  await refuse()
  const out = await program.post('/auth/logout', {}, bearer(a.accessToken))
  expect([out.status, out.body]).toEqual([202, QUEUED])
  const one = await program.send('DELETE', `/auth/sessions/${c.session.id}`, undefined, bearer(b.accessToken))
  expect([one.status, one.body]).toEqual([202, QUEUED])
  const all = await program.post('/auth/sessions/revoke-all', {}, bearer(b.accessToken))
  expect([all.status, all.body]).toEqual([202, QUEUED])
  for (const { accessToken } of [a, b, c]) {
    const { status, body } = await program.get('/auth/session', bearer(accessToken))
    expect([status, body.reason, body.endedBy]).toEqual([401, 'ended', 'logout'])
  }
  // Another server, as this command is one, does not know yet.
  expect((await command('sessions', 'list', identifier, '--json')).stdout).toContain(a.session.id)
  await heal()
  await until(async () => served!.stderr().split('revocation_done').length === 4)
  // So says another process, which knows it from the store.
  expect((await command('sessions', 'list', identifier, '--json')).stdout).toBe('{"items":[]}\n')
  expect(served!.stderr()).toMatch(/"revocation_queued"/)
})

test('a command leaves nothing waiting: it fails, and says what the store said', async () => {
  const { login, program } = await start()
  const { accessToken, session } = await login()
  await refuse()
  const commands = [
    ['sessions', 'revoke', session.id],
    ['sessions', 'revoke', '--user', identifier],
    ['sessions', 'revoke', '--everyone'],
    ['users', 'ban', identifier],
  ]
  for (const { code, stdout, stderr } of await Promise.all(commands.map((args) => command(...args)))) {
    expect([code, stdout]).toEqual([1, ''])
    expect(stderr).toMatch(/^countersign: Redis: .*NOREPLICAS.* \(ERR_STORE_UNAVAILABLE\)$/m)
  }
  expect((await program.get('/auth/session', bearer(accessToken))).status).toBe(200)
  await heal()
  const done = await command('sessions', 'revoke', session.id)
  expect([done.code, done.stdout]).toEqual([0, expect.stringContaining('durability fsynced')])
})

test('a server that stops with revocations waiting exits with 1, or leaves them to its journal', async () => {
  const { login, program } = await start()
  const first = await login()
  await refuse()
  await program.post('/auth/logout', {}, bearer(first.accessToken))
  expect((await served!.stop()).code).toBe(1)
  expect(served!.stderr()).toContain('revocations_left')
  await heal()

  const kept = await start('--journal', 'journal.jsonl')
  const second = await kept.login()
  const { code, stderr } = await run(['serve', '--port', '0', ...storage(), '--journal', 'journal.jsonl'], { cwd })
  expect([code, stderr]).toEqual([2, expect.stringContaining('in use by process')])
  await refuse()
  expect((await kept.program.post('/auth/logout', {}, bearer(second.accessToken))).status).toBe(202)
  expect((await served!.stop()).code).toBe(0)
  expect(readFileSync(join(cwd, 'journal.jsonl'), 'utf8')).toContain('"queued"')

  await heal()
  const next = await start('--journal', 'journal.jsonl')
  expect((await next.program.get('/auth/session', bearer(second.accessToken))).body).toMatchObject({
    endedBy: 'logout',
  })
  await until(async () => served!.stderr().includes('revocation_done'))
})

test('doctor shows what a server could do better', async () => {
  const { code, stdout } = await command('doctor')
  expect(code).toBe(0)
  expect(stdout).toMatch(/^ok +store: client-output-buffer-limit normal is unlimited.* -> no promise depends on it$/m)
})
