// Keys are replaced under real servers at work, with the real commands: each server takes up each step at another moment, on
// SIGHUP or by itself. No server is restarted, no connection fails, no request is refused.
import { spawn } from 'node:child_process'
import { chmodSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { generateKeyring, rotateKeyring } from 'countersign'
import { expect, onTestFinished, test, vi } from 'vitest'
import { count } from '../../../../tools/test-support/counts.ts'
import { startRedis } from '../../../../tools/test-support/redis-server.ts'
import { run, type Served, serve } from '../process.ts'
import { bearer, Client } from '../support.ts'
import { ISSUER, type Program, startLoad } from './load.ts'

const USES = ['mac', 'rotation', 'signing'] as const
const ROUNDS = count(2, 20)
/** For what comes within ten seconds on a machine that has nothing else to do. */
const SOON = { timeout: 120_000, interval: 50 }

const kidOf = ({ accessToken }: Program) =>
  JSON.parse(Buffer.from(accessToken.split('.')[0]!, 'base64url').toString()).kid
const macOf = ({ refreshToken }: Program) => Buffer.from(refreshToken.slice(4), 'base64url')[1]

function folder() {
  const cwd = mkdtempSync(join(tmpdir(), 'countersign-rotation-'))
  onTestFinished(() => rmSync(cwd, { recursive: true, force: true }))
  const path = join(cwd, 'keys.json')
  return { cwd, path, read: () => JSON.parse(readFileSync(path, 'utf8')) }
}
const linesOf = (server: Served, event: string) =>
  server
    .stderr()
    .split('\n')
    .flatMap((line) => (line.includes(`"event":"${event}"`) ? [JSON.parse(line)] : []))

test('mac, rotation and signing keys, ES256 → Ed25519 → ES256', { timeout: 900_000 }, async () => {
  const { cwd, path, read } = folder()
  const redis = await startRedis()
  onTestFinished(() => redis.stop())
  const command = async (...args: string[]) => {
    const done = await run([...args, '--store', redis.url, '--keys', path], { cwd })
    expect([args, done.code, done.stderr]).toEqual([args, 0, ''])
  }
  await run(['keys', 'generate', '--out', path], { cwd })
  const flags = ['--store', redis.url, '--keys', path, '--issuer', ISSUER, '--public-url', ISSUER, '--grace', '1s']
  const servers = await Promise.all([1, 2, 3].map(() => serve(flags, { cwd })))
  onTestFinished(async () => void (await Promise.all(servers.map((server) => server.stop()))))
  const urls = servers.map(({ url }) => url)
  const load = await startLoad(urls, count(6, 20))
  load.fetchKeys(urls[0]!)

  /** Two are told, one after the other; the third finds out by itself. */
  const takeUp = async () => {
    const expected = USES.flatMap((use) =>
      read()[use].flatMap((key: any) =>
        key.state === 'retired' ? [] : `${use} ${key.alg ?? 'HS256'} ${key.state} ${key.kid}`,
      ),
    )
    for (const [index, server] of servers.entries()) {
      if (index < 2) server.child.kill('SIGHUP')
      await vi.waitFor(() => expect(linesOf(server, 'keys_taken_up').at(-1)?.keys).toEqual(expected), SOON)
      await load.rounds(ROUNDS)
    }
    expect(load.failures).toEqual([])
  }
  for (const alg of ['Ed25519', 'ES256']) {
    const before = read()
    const old = { ...load.programs[0]! }
    for (const use of USES)
      await command('keys', 'rotate', use, '--prepare', ...(use === 'signing' ? ['--alg', alg] : []))
    await takeUp()
    // As everybody does within the five minutes that `keys rotate` waits when it is not told otherwise.
    load.fetchKeys(urls[2]!)
    await load.rounds(1)
    for (const use of USES) await command('keys', 'rotate', use, '--now', ...(use === 'signing' ? ['--alg', alg] : []))
    await takeUp()
    const [{ number }, { kid }] = [read().mac.at(-1), read().signing.at(-1)]
    await load.until('tokens of the new keys', (one) => kidOf(one) === kid && macOf(one) === number)
    for (const use of USES) await command('keys', 'retire', before[use].at(-1).kid, '--force')
    await takeUp()
    for (const url of urls) {
      const client = new Client(url, { origin: '' })
      expect((await client.get('/auth/session', bearer(old.accessToken))).status).toBe(401)
      expect((await client.post('/auth/refresh', { refreshToken: old.refreshToken })).status).toBe(401)
      const { keys } = (await client.get('/.well-known/jwks.json')).body
      expect(keys.map((key: any) => [key.kid, key.alg])).toEqual([[kid, alg]])
    }
  }
  await load.stop()
  expect(load.failures).toEqual([])
  expect(servers.map(({ child }) => child.exitCode)).toEqual([null, null, null])
  for (const server of servers) expect(linesOf(server, 'keys_refused')).toEqual([])
  const rotations = load.programs.reduce((sum, program) => sum + program.rotations, 0)
  console.log(`        ${load.requests} requests, ${rotations} rotations of refresh tokens`)
})

test('a file that does not continue the keys in force is refused, said aloud, and the server goes on', async () => {
  const { cwd, path, read } = folder()
  await run(['keys', 'generate', '--out', path], { cwd })
  const server = await serve(['--keys', path], { cwd })
  onTestFinished(async () => void (await server.stop()))
  const client = new Client(server.url)
  await client.register('alice@example.com')
  await client.login('alice@example.com')
  const good = readFileSync(path, 'utf8')
  const put = (text: string) => {
    // The server may read at any moment: never half a file but where that is the point.
    writeFileSync(`${path}.next`, text, { mode: 0o600 })
    renameSync(`${path}.next`, path)
  }
  const refused = () => linesOf(server, 'keys_refused')
  const other = generateKeyring({ signing: ['ES256'] })
  const bad: [string, () => void, string][] = [
    ['ERR_KEY_UNUSABLE', () => put(JSON.stringify(other)), '"placement" is another key'],
    ['ERR_KEY_UNUSABLE', () => put(good.slice(0, 100)), 'is not JSON'],
    ['ERR_KEY_UNUSABLE', () => put(JSON.stringify({ ...read(), mac: other.mac })), '"mac" has another key'],
    ['ERR_CONFIG_UNSAFE', () => chmodSync(path, 0o644), 'open to other users'],
    ['ERR_KEY_NOT_FOUND', () => rmSync(path), 'cannot be read'],
  ]
  for (const [index, [code, spoil, message]] of bad.entries()) {
    spoil()
    server.child.kill('SIGHUP')
    await vi.waitFor(() => expect(refused()).toHaveLength(index + 1), SOON)
    expect(refused()[index]).toMatchObject({ level: 'error', err: { code, message: expect.stringContaining(message) } })
    expect((await client.get('/auth/session')).status).toBe(200)
    put(good)
  }
  const rotated = rotateKeyring(read(), 'mac')
  put(JSON.stringify(rotated.file))
  await vi.waitFor(() => expect(linesOf(server, 'keys_taken_up')).toHaveLength(1), SOON)
  expect(linesOf(server, 'keys_taken_up')[0].keys).toContain(`mac HS256 active ${rotated.kid}`)
  expect((await client.post('/auth/refresh')).status).toBe(200)
  expect(server.stderr()).not.toContain(rotated.file.mac[1]!.k)
})

test('where the log goes to a terminal, SIGHUP means that it has gone', async () => {
  const { cwd } = folder()
  const bin = fileURLToPath(new URL('../../bin/countersign.js', import.meta.url))
  const command = `${process.execPath} ${bin} serve --port 0 --json --store memory`
  const terminal = spawn('script', ['-qec', command, '/dev/null'], { cwd, stdio: ['ignore', 'pipe', 'inherit'] })
  const ended = new Promise<number | null>((resolve) => terminal.once('close', resolve))
  let shown = ''
  terminal.stdout.on('data', (chunk) => {
    shown += chunk
  })
  await vi.waitFor(() => expect(shown).toContain('"pid"'), SOON)
  process.kill(Number(/"pid":(\d+)/.exec(shown)![1]), 'SIGHUP')
  expect(await ended).toBe(0)
  expect(shown).toContain('"event":"stopping","why":"SIGHUP"')
})
