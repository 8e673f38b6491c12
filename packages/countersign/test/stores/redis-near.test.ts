// The near cache on a real server, through the public verbs: what one process does, another one has to see in time.
import { execFileSync } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'
import {
  allowlist,
  createSessions,
  denylist,
  generateKeyring,
  type Keyring,
  loadKeyring,
  type NearCacheOptions,
  opaque,
  type Timeouts,
} from 'countersign'
import { redisStore } from 'countersign/stores/redis'
import { createClient } from 'redis'
import { afterEach, beforeAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { count } from '../../../../tools/test-support/counts.ts'
import { type RedisOptions, type RedisServer, startRedis } from '../../../../tools/test-support/redis-server.ts'
import { encode } from '../../../../tools/test-support/resp.ts'
import { type RespProxy, startRespProxy } from '../../../../tools/test-support/resp-proxy.ts'
import { fill, isServed, watchStale } from './near-kit.ts'

/** What `maxStale` promises. */
const STALE_MS = 1_000
const JWT = { issuer: 'https://a.test', audience: 'https://b.test' }
const STRATEGIES = { opaque: opaque(), allowlist: allowlist(JWT), denylist: denylist({ ...JWT, refresh: true }) }

let keyring: Keyring
beforeAll(async () => {
  keyring = await loadKeyring(generateKeyring())
})
const cleanUp: (() => unknown)[] = []
afterEach(async () => {
  for (const undo of cleanUp.splice(0).reverse()) await undo()
})

interface More {
  strategy?: keyof typeof STRATEGIES
  nearCache?: false | NearCacheOptions
  timeouts?: Timeouts
}

function open(url: string, { strategy = 'allowlist', nearCache, timeouts = { absolute: '1d' } }: More = {}) {
  const sessions = createSessions({
    strategy: STRATEGIES[strategy] as ReturnType<typeof allowlist<true>>,
    keyring,
    store: redisStore({ url }),
    timeouts,
    data: z.object({ n: z.number() }),
    roles: ['user', 'admin'],
    ...(nearCache !== undefined && { nearCache }),
  })
  cleanUp.push(() => sessions.close())
  return sessions
}
type Sessions = ReturnType<typeof open>

/** Two processes on one server; the first goes through a proxy. */
async function setUp(more: More = {}, options: RedisOptions = {}) {
  const redis: RedisServer = await startRedis({ policy: 'noeviction', ...options })
  cleanUp.push(() => redis.stop())
  const proxy: RespProxy = await startRespProxy({ target: redis.url })
  cleanUp.push(() => proxy.stop())
  const raw = createClient({ url: redis.url })
  raw.on('error', () => {})
  await raw.connect()
  cleanUp.push(() => raw.destroy())
  return { redis, proxy, raw, here: open(proxy.url, more), there: open(redis.url, more) }
}

async function login(sessions: Sessions, subject = 'user:1') {
  const issued = await sessions.issue({ subject, roles: ['user'], data: { n: 0 } })
  if (!issued.ok) throw new Error(issued.reason)
  return issued
}

describe.each(['opaque', 'allowlist', 'denylist'] as const)('%s', (strategy) => {
  test('what another process revokes is refused here, and the store was not asked before', async () => {
    const { here, there, proxy } = await setUp({ strategy })
    const issued = await login(there)
    await fill(here, issued.accessToken)
    proxy.reset()
    for (let n = 0; n < 1_000; n++) expect((await here.verify(issued.accessToken)).ok).toBe(true)
    expect(proxy.counts().commands.GET ?? 0).toBe(0)
    expect(proxy.counts().commands.HGETALL ?? 0).toBe(0)

    await there.revoke(issued.session.sessionId, { reason: 'logout' })
    await expect.poll(() => here.verifyNow(issued.accessToken), { interval: 1 }).toBeUndefined()
    expect(await here.verify(issued.accessToken)).toMatchObject({ ok: false, reason: 'ended', endedBy: 'logout' })
  })

  test('log-out everywhere and lost roles arrive as well', async () => {
    const { here, there } = await setUp({ strategy })
    const [one, two] = [await login(there), await login(there)]
    await fill(here, one.accessToken, two.accessToken)
    await there.setRoles('user:1', [])
    const lost = strategy === 'denylist' ? 'superseded' : 'forbidden'
    await expect.poll(async () => (await here.verify(one.accessToken, { roles: ['user'] })).ok).toBe(false)
    expect(await here.verify(two.accessToken, { roles: ['user'] })).toMatchObject({ reason: lost })
    await there.revokeAll('user:1', { reason: 'admin' })
    await expect.poll(async () => (await here.verify(two.accessToken)).ok).toBe(false)
  })

  test('N10: what this process wrote, it reads, over two connections', async () => {
    const { here } = await setUp({ strategy })
    for (let n = 0; n < count(150, 10_000); n++) {
      const issued = await login(here, `user:${n % 7}`)
      await here.verify(issued.accessToken)
      // Reads under way while the write is.
      const beside = [here.verify(issued.accessToken), here.verify(issued.accessToken)]
      if (n % 3 === 0 && strategy !== 'denylist') {
        await here.update(issued.session.sessionId, () => ({ n }))
        const checked = here.verifyNow(issued.accessToken) ?? (await here.verify(issued.accessToken))
        expect(checked.ok && checked.session.data).toEqual({ n })
      }
      if (n % 3 === 1) await here.revokeAll(`user:${n % 7}`, { reason: 'admin' })
      else await here.revoke(issued.session.sessionId, { reason: 'logout' })
      expect(here.verifyNow(issued.accessToken)).toBeUndefined()
      expect((await here.verify(issued.accessToken)).ok).toBe(false)
      await Promise.all(beside)
      expect(here.verifyNow(issued.accessToken)?.ok).not.toBe(true)
      expect((await here.verify(issued.accessToken)).ok).toBe(false)
    }
  })
})

describe('nothing is served later than a second after a revocation', () => {
  test.each([
    ['everything is silent', undefined],
    // Commands are answered, and only the tracked connection is not.
    ['only the tracked connection is silent', 1],
  ])('N2: while %s', async (_what, connection) => {
    const { here, there, proxy } = await setUp()
    const issued = await login(there)
    await fill(here, issued.accessToken)
    proxy.pause('both', connection)
    const watch = watchStale(here, issued.accessToken)
    await there.revoke(issued.session.sessionId, { reason: 'logout' })
    const revokedMs = performance.now()
    await sleep(300)
    // Requests end within the deadline (2 s): with an answer of the connection that works, or with a fault.
    const startedMs = performance.now()
    const asked = await here.verify(issued.accessToken, { fresh: true }).catch((error: { code: string }) => error)
    if (connection === undefined) expect(asked).toMatchObject({ code: expect.stringMatching(/^ERR_STORE_/) })
    else expect(asked).toMatchObject({ ok: false, reason: 'ended' })
    expect(performance.now() - startedMs).toBeLessThan(20_000)
    await sleep(1_500)
    const { lastServedMs, served } = await watch.end()
    expect(served).toBeGreaterThan(0)
    expect(lastServedMs - revokedMs).toBeLessThanOrEqual(STALE_MS)

    proxy.resume()
    const next = await login(there)
    await fill(here, next.accessToken)
    expect(isServed(here, issued.accessToken)).toBe(false)
  })

  test('N4: an event loop that stood still for 3 s does not believe its copies', async () => {
    const { here, there, redis } = await setUp()
    const issued = await login(there)
    await fill(here, issued.accessToken)
    const { sessionId } = issued.session
    // Another process deletes the record while this one does nothing else: `execFileSync` waits without turning the loop.
    const key = `cs:{${sessionId.slice(0, 12)}}:s:${sessionId}`
    const code = `require('net').connect(${redis.port}, '127.0.0.1', function () { this.end(${JSON.stringify(encode(['DEL', key]))}) }).resume()`
    const untilMs = performance.now() + 3_000
    execFileSync(process.execPath, ['-e', code])
    while (performance.now() < untilMs);
    expect(here.verifyNow(issued.accessToken)).toBeUndefined()
    expect(await here.verify(issued.accessToken)).toMatchObject({ ok: false, reason: 'unknown' })
  })

  const gone = [
    'FLUSHALL',
    'FLUSHDB',
    'SWAPDB 0 1',
    'SWAPDB 0 1 and another store there',
    'CLIENT KILL TYPE normal',
    'CLIENT KILL TYPE normal SKIPME no',
  ]
  test.each(gone)('N7: %s', async (what) => {
    const { redis, here, there, raw } = await setUp()
    const command = what.split(' and ')[0]!.split(' ')
    if (what !== command.join(' ')) await login(open(`${redis.url}/1`))
    const [issued, unasked] = [await login(there), await login(there)]
    await fill(here, issued.accessToken, unasked.accessToken)
    const watch = watchStale(here, issued.accessToken)
    await raw.sendCommand(command).catch(() => undefined)
    // The others take the records away by themselves. The revoking process was cut off too, and tries until it is told.
    const revoked = () => there.revokeAll('user:1', { reason: 'logout' }).then(Boolean, () => false)
    if (command[0] === 'CLIENT') await expect.poll(revoked, { timeout: 20_000, interval: 10 }).toBe(true)
    const doneMs = performance.now()
    await sleep(1_500)
    const { lastServedMs } = await watch.end()
    expect(lastServedMs - doneMs).toBeLessThanOrEqual(STALE_MS)
    await expect.poll(async () => (await here.verify(issued.accessToken).catch(() => ({ ok: null }))).ok).toBe(false)

    // It recovers, and what was read before is not believed then either.
    await expect
      .poll(
        async () => {
          const next = await here.issue({ subject: 'next', data: { n: 1 } }).catch(() => undefined)
          if (!next?.ok) return false
          await here.verify(next.accessToken).catch(() => undefined)
          await sleep(50)
          await here.verify(next.accessToken).catch(() => undefined)
          return isServed(here, next.accessToken)
        },
        { timeout: 20_000 },
      )
      .toBe(true)
    expect(isServed(here, unasked.accessToken)).toBe(false)
    expect((await here.verify(unasked.accessToken)).ok).toBe(false)
  })

  test('N7: a RESET on the tracked connection', async () => {
    const { here, there, proxy } = await setUp()
    const issued = await login(there)
    await fill(here, issued.accessToken)
    const watch = watchStale(here, issued.accessToken)
    proxy.inject(1, ['RESET'])
    await sleep(50)
    await there.revoke(issued.session.sessionId, { reason: 'logout' })
    const revokedMs = performance.now()
    await sleep(1_500)
    const { lastServedMs } = await watch.end()
    expect(lastServedMs - revokedMs).toBeLessThanOrEqual(STALE_MS)
    const next = await login(there)
    await fill(here, next.accessToken)
  })

  test('N7: a tracking table with room for one key', async () => {
    const { here, there, raw } = await setUp()
    await raw.configSet('tracking-table-max-keys', '1')
    const all = await Promise.all(Array.from({ length: 50 }, (_, n) => login(there, `user:${n}`)))
    for (let round = 0; round < 5; round++) {
      for (const { accessToken } of all) expect((await here.verify(accessToken)).ok).toBe(true)
    }
    for (const { session } of all) await there.revoke(session.sessionId, { reason: 'logout' })
    await sleep(STALE_MS)
    for (const { accessToken } of all) expect((await here.verify(accessToken)).ok).toBe(false)
    // The server gives up keys that it has no room for, and says so each time.
    expect(here.health().nearCache.drops.changed).toBeGreaterThan(40)
  })

  test('everybody is logged out within that second, and mostly at once', async () => {
    const { here, there } = await setUp()
    const issued = await login(there)
    await fill(here, issued.accessToken)
    const watch = watchStale(here, issued.accessToken)
    const { effectiveAtMs } = await there.revokeEveryone({ reason: 'admin' })
    await sleep(effectiveAtMs! - Date.now())
    const effectiveMs = performance.now()
    await sleep(1_000)
    // Both clocks are this machine's, read a moment apart.
    expect((await watch.end()).lastServedMs - effectiveMs).toBeLessThanOrEqual(10)
    expect(await here.verify(issued.accessToken)).toMatchObject({ ok: false, reason: 'ended', endedBy: 'admin' })
  })
})

describe('a session that is over by itself', () => {
  test('N5: is refused at its deadline, however many other keys the server has to expire first', async () => {
    const { here, there, raw } = await setUp({ timeouts: { absolute: '3s' } })
    const volatile = raw.multi()
    for (let n = 0; n < count(20_000, 100_000); n++) volatile.set(`other:${n}`, 'x', { PX: 2_000 })
    await volatile.execAsPipeline()
    const issued = await login(there)
    const { expiresAtMs } = issued.session
    await fill(here, issued.accessToken)
    let lastServedMs = 0
    while (Date.now() < expiresAtMs + 1_000) {
      const atMs = Date.now()
      if (isServed(here, issued.accessToken)) lastServedMs = atMs
      await sleep(1)
    }
    expect(lastServedMs).toBeGreaterThan(0)
    // Server and test share a clock; the store's estimate of it is at most that far off.
    expect(lastServedMs).toBeLessThan(expiresAtMs + 50)
    expect((await here.verify(issued.accessToken)).ok).toBe(false)
  })

  test('stays alive by being used: one write per tenth of the idle window, and a read after it', async () => {
    const { here, there, proxy } = await setUp({ strategy: 'opaque', timeouts: { absolute: '1d', idle: '5s' } })
    const issued = await login(there)
    await fill(here, issued.accessToken)
    proxy.reset()
    const startedMs = Date.now()
    let checks = 0
    while (Date.now() < startedMs + 7_000) {
      expect((await here.verify(issued.accessToken)).ok, `after ${Date.now() - startedMs} ms`).toBe(true)
      checks++
      await sleep(2)
    }
    const tenths = (Date.now() - startedMs) / 500
    const { commands } = proxy.counts()
    expect(checks).toBeGreaterThan(100)
    // The floor, and nothing else, is read by the fences; a touch drops the copy, and it is read again once or twice.
    expect(commands.GET).toBeLessThanOrEqual(3 * tenths)
    expect(here.health().nearCache.hits).toBeGreaterThan(checks / 2)
  })
})

test('N9: tokens with ids that nobody issued grow nothing and ask nobody', async () => {
  const { here, there, proxy } = await setUp()
  const issued = await login(there)
  await fill(here, issued.accessToken)
  const { entries, bytes } = here.health().nearCache
  proxy.reset()
  const [head, body] = issued.accessToken.split('.') as [string, string]
  for (let n = 0; n < count(20_000, 1_000_000); n++) {
    const claims = JSON.parse(Buffer.from(body, 'base64url').toString())
    const sid = `${Buffer.from(`${n}`.padStart(25, '0')).toString('base64url')}`
    const forged = `${head}.${Buffer.from(JSON.stringify({ ...claims, sid })).toString('base64url')}.${'A'.repeat(43)}`
    if (here.verifyNow(forged) !== undefined) throw new Error('answered')
    if ((await here.verify(forged)).ok) throw new Error('accepted')
  }
  expect(proxy.counts().commands.GET ?? 0).toBe(0)
  expect(here.health().nearCache).toMatchObject({ entries, bytes })
})

describe('health', () => {
  test('says how it stands, and that a client given without a URL leaves it off', async () => {
    const { here, there, redis } = await setUp()
    await here.ready()
    expect(here.health().nearCache).toMatchObject({ isOn: false, warnings: [expect.stringContaining('not used yet')] })
    const issued = await login(there)
    await fill(here, issued.accessToken)
    const { nearCache } = here.health()
    expect(nearCache).toMatchObject({ isOn: true, warnings: [], entries: 1, lines: [{ isOpen: true }] })
    expect(nearCache.lines[0]!.name).toMatch(/^127\.0\.0\.1:\d+$/)
    expect(nearCache.hits + nearCache.misses).toBeGreaterThan(1)

    const client = createClient({ url: redis.url })
    await client.connect()
    cleanUp.push(() => client.destroy())
    const given = createSessions({
      strategy: opaque(),
      keyring,
      store: redisStore({ client: client as never }),
      timeouts: 'aal1',
    })
    cleanUp.push(() => given.close())
    await given.ready()
    expect(given.health().warnings).toContainEqual(expect.stringContaining('the near cache is off'))
    expect(given.health().nearCache).toMatchObject({ isOn: false, warnings: ['the store does not tell of changes'] })
  })

  test('switched off, no second connection is made', async () => {
    const { here, there, proxy } = await setUp({ nearCache: false })
    const issued = await login(there)
    for (let n = 0; n < 20; n++) await here.verify(issued.accessToken)
    expect(proxy.counts().connections).toHaveLength(1)
    expect(proxy.counts().commands.GET).toBe(20)
    expect(here.health().nearCache).toMatchObject({ isOn: false, hits: 0, kept: 0 })
    // What the signature proved is remembered all the same.
    expect(here.health().nearCache.entries).toBe(1)
  })
})
