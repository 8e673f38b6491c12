// What the Redis store sends and leaves behind: one request per method, a TTL on every key, few bytes per session.
import { randomBytes } from 'node:crypto'
import { samples } from 'countersign/conformance'
import type { Store } from 'countersign/stores/contract'
import { redisStore } from 'countersign/stores/redis'
import { createClient } from 'redis'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type RedisServer, startRedis } from '../../../../tools/test-support/redis-server.ts'
import { type RespProxy, startRespProxy } from '../../../../tools/test-support/resp-proxy.ts'
import { scripts } from '../../src/stores/redis/scripts.generated.ts'

const { createRule, DAY, endRule, HOUR, MINUTE, recordOf, refresh, replaceRule, sessionId, subjectRef } = samples

let server: RedisServer
let proxy: RespProxy
let store: Store
let raw: ReturnType<typeof createClient>
let now = 0

beforeAll(async () => {
  server = await startRedis()
  const names = new Map<string, string>(Object.values(scripts).map(({ sha1, name }) => [sha1, name]))
  proxy = await startRespProxy({ target: server.url, scripts: names })
  store = redisStore({ url: proxy.url, deadline: '20s' })
  await store.lifecycle.ready('wire')
  raw = createClient({ url: server.url })
  raw.on('error', () => {})
  await raw.connect()
  now = store.lifecycle.nowMs()
})
afterAll(async () => {
  raw?.destroy()
  await store?.lifecycle.close()
  await proxy?.stop()
  await server?.stop()
})
beforeEach(() => proxy.reset())

/** Requests since the last reset, without the keep-alive of the connection. */
function requests(): Record<string, number> {
  const { PING: _ping, EVALSHA: _evalsha, ...commands } = proxy.counts().commands
  return { ...commands, ...proxy.counts().scripts }
}

const recordNow = (ref: Parameters<typeof recordOf>[0], changes = {}) => recordOf(ref, { createdAtMs: now, ...changes })

describe('requests on the wire', () => {
  it('is one per method', async () => {
    const { sessions, revocations, accounts } = store
    const ref = subjectRef()
    const [a, b] = [recordNow(ref, { stamped: true }), recordNow(ref)]
    const unknown = sessionId(ref)
    const calls: [string, () => Promise<unknown>, string][] = [
      ['create', () => sessions.create(a, createRule, now), 'create-session'],
      [
        'create with eviction',
        () => sessions.create(b, { ...createRule, limit: { max: 1, overflow: 'evict_oldest' } }, now),
        'create-session',
      ],
      ['read', () => sessions.read(b.id), 'GET'],
      ['read of nothing', () => sessions.read(unknown), 'GET'],
      ['update', () => sessions.update(b.id, { data: '1' }, 1, now), 'update-session'],
      ['touch', () => sessions.touch(b.id, { idleAtMs: now + HOUR }, now), 'touch-session'],
      ['rotate', () => refresh(store, b.id, 0, now + MINUTE), 'rotate-session'],
      ['setRoles', () => sessions.setRoles(ref, ['user', 'admin'], now), 'set-roles'],
      ['subject', () => sessions.subject(ref, now), 'read-subject'],
      ['list', () => sessions.list(ref, null, { limit: 10, floorMs: 0 }, now), 'list-sessions'],
      ['replace', () => sessions.replace(b.id, recordNow(ref), replaceRule, now), 'replace-session'],
      ['end, following the replaced id', () => sessions.end(b.id, 'logout', endRule, now), 'end-session'],
      ['end of an unknown id', () => sessions.end(unknown, 'logout', endRule, now), 'end-session'],
      ['endSubject', () => sessions.endSubject(ref, 'admin', {}, now), 'end-subject'],
      ['floor', () => sessions.floor(), 'read-floor'],
      ['raiseFloor', () => sessions.raiseFloor('admin', 1), 'raise-floor'],
      ['deny', () => revocations.deny(ref, 'j', now + HOUR, now), 'deny-token'],
      ['revocations.read', () => revocations.read(ref.tag), 'HGETALL'],
      ['subjectOf', () => accounts.subjectOf({ identifier: 'nobody' }), 'GET'],
      ['bySubject', () => accounts.bySubject(ref), 'GET'],
    ]
    for (const [name, call, request] of calls) {
      proxy.reset()
      await call()
      expect(requests(), name).toEqual({ [request]: 1 })
    }
  })

  it.each([5, 500])('is one for ending all of %i sessions', async (count) => {
    const ref = subjectRef()
    const rule = { ...createRule, limit: { max: 1_000, overflow: 'reject' as const } }
    await Promise.all(Array.from({ length: count }, () => store.sessions.create(recordNow(ref), rule, now)))
    proxy.reset()
    expect((await store.sessions.endSubject(ref, 'admin', {}, now)).ids).toHaveLength(count)
    expect(requests()).toEqual({ 'end-subject': 1 })
  })

  it('is two for a script that the server has forgotten, and the answer is the same', async () => {
    await raw.scriptFlush()
    const ref = subjectRef()
    const record = recordNow(ref)
    proxy.reset()
    expect(await store.sessions.create(record, createRule, now)).toMatchObject({ is: 'created' })
    expect(proxy.counts().commands).toMatchObject({ EVALSHA: 1, EVAL: 1 })
    proxy.reset()
    expect(await store.sessions.end(record.id, 'logout', endRule, now)).toMatchObject({ ids: [record.id] })
    expect(await store.sessions.end(record.id, 'logout', endRule, now)).toMatchObject({ ids: [] })
    expect(proxy.counts().commands).toMatchObject({ EVALSHA: 2, EVAL: 1 })
  })

  it('never scans', () => {
    const all = Object.values(scripts).map(({ source }) => source)
    expect(all.join().match(/'(KEYS|SCAN|HSCAN|FLUSH\w*)'/gi)).toBeNull()
  })
})

describe('keys', () => {
  it('all have a TTL, except the floor, accounts, identifiers and the gate of a blocked subject', async () => {
    await raw.flushAll()
    await store.lifecycle.close()
    store = redisStore({ url: proxy.url, deadline: '20s' })
    await store.lifecycle.ready('wire')
    const { sessions, revocations, accounts } = store
    const [one, two, banned, freed, odd] = Array.from({ length: 5 }, () => subjectRef()) as [
      ReturnType<typeof subjectRef>,
      ReturnType<typeof subjectRef>,
      ReturnType<typeof subjectRef>,
      ReturnType<typeof subjectRef>,
      ReturnType<typeof subjectRef>,
    ]
    const a = recordNow(one, { stamped: true })
    await sessions.create(a, createRule, now)
    await refresh(store, a.id, 0, now + MINUTE)
    await sessions.touch(a.id, { idleAtMs: now + HOUR }, now)
    await sessions.update(a.id, { data: '2' }, 1, now)
    await sessions.replace(a.id, recordNow(one, { stamped: true }), replaceRule, now)
    const b = recordNow(two)
    await sessions.create(b, createRule, now)
    await sessions.setRoles(two, ['admin'], now)
    await sessions.end(b.id, 'logout', endRule, now)
    await sessions.end(sessionId(odd), 'logout', { unknownUntilMs: now + HOUR, stamped: true }, now)
    await revocations.deny(odd, 'jti', now + HOUR, now)
    await sessions.create(recordNow(banned), createRule, now)
    await sessions.endSubject(banned, 'banned', { block: true }, now)
    const spared = recordNow(freed)
    await sessions.create(spared, createRule, now)
    await sessions.endSubject(freed, 'banned', { block: true, except: spared.id }, now)
    await sessions.touch(spared.id, { idleAtMs: now + HOUR }, now)
    expect(await raw.ttl(`cs:{${freed.tag}}:u`)).toBe(-1)
    await sessions.endSubject(freed, 'admin', { block: false, except: spared.id }, now)
    await sessions.raiseFloor('admin', now - HOUR)
    await accounts.create({
      ...one,
      identifier: 'a@example.com',
      version: 1,
      passwordHash: 'x',
      passwordChangedAtMs: now,
      roles: [],
      blocked: null,
      createdAtMs: now,
      unsettled: null,
    })

    const names = await raw.keys('*')
    const forever = []
    for (const name of names) if ((await raw.pTTL(name)) === -1) forever.push(name)
    const identifier = names.filter((name) => name.endsWith(':i'))
    expect(identifier).toHaveLength(1)
    expect(forever.sort()).toEqual(['cs:{floor}', `cs:{${banned.tag}}:u`, `cs:{${one.tag}}:a`, ...identifier].sort())
    expect(names.length).toBeGreaterThan(12)
    for (const name of names) expect(name).toMatch(/^cs:\{(floor|[\w-]{12}|[\w-]{43})\}(:[uria]|:s:[\w-]{34})?$/)

    // The index lives as long as what it leads to: the spared session of the freed subject has a week.
    const ends = await raw.pExpireTime(`cs:{${freed.tag}}:s:${spared.id}`)
    expect(ends).toBeGreaterThan(now)
    expect(await raw.pExpireTime(`cs:{${freed.tag}}:u`)).toBe(ends)
  })

  it('go when their time is over, and entries of the index with the next login', async () => {
    const ref = subjectRef()
    const at = store.lifecycle.nowMs()
    // Redis deletes by its own clock, so the steps before have that long to be done.
    const end = at + 5_000
    const brief = { createdAtMs: at, idleAtMs: end, absoluteAtMs: end, refreshAtMs: end }
    const rule = { ...createRule, accessMs: 0, limit: { max: 1, overflow: 'reject' as const } }
    const first = recordOf(ref, brief)
    await store.sessions.create(first, rule, at)
    expect(await raw.exists([`cs:{${ref.tag}}:u`])).toBe(1)
    const long = recordNow(ref, { createdAtMs: at })
    expect(await store.sessions.create(long, rule, at)).toEqual({ is: 'limit' })
    await store.sessions.create(long, { ...rule, limit: { max: 2, overflow: 'reject' } }, at)
    expect(await raw.hLen(`cs:{${ref.tag}}:u`)).toBe(2)
    await expect.poll(() => raw.exists(`cs:{${ref.tag}}:s:${first.id}`), { timeout: 60_000 }).toBe(0)
    // What this process takes for the server's time may be a little behind it.
    const later = Math.max(store.lifecycle.nowMs(), end)
    expect((await store.sessions.list(ref, null, { limit: 9, floorMs: 0 }, later)).items.map(({ id }) => id)).toEqual([
      long.id,
    ])
    expect(await store.sessions.subject(ref, later)).toMatchObject({ live: 1 })
    await store.sessions.create(
      recordNow(ref, { createdAtMs: at }),
      { ...rule, limit: { max: 2, overflow: 'reject' } },
      later,
    )
    expect(await raw.hLen(`cs:{${ref.tag}}:u`)).toBe(2)
  })

  it('does not count a session against the limit whose record the server has dropped', async () => {
    const ref = subjectRef()
    const record = recordNow(ref)
    const rule = { ...createRule, limit: { max: 1, overflow: 'reject' as const } }
    await store.sessions.create(record, rule, now)
    await raw.del(`cs:{${ref.tag}}:s:${record.id}`)
    expect(await store.sessions.create(recordNow(ref), rule, now)).toMatchObject({ is: 'created' })
  })

  it('of another prefix are another store', async () => {
    const other = redisStore({ url: server.url, prefix: 'other:app' })
    await other.lifecycle.ready('another fingerprint')
    const ref = subjectRef()
    const record = recordNow(ref)
    await other.sessions.create(record, createRule, now)
    expect(await store.sessions.read(record.id)).toEqual({ is: 'unknown' })
    expect(await raw.keys('other:app:*')).toHaveLength(3)
    await other.lifecycle.close()
  })
})

describe('memory', () => {
  it('is at most 560 bytes per session: 5 per subject, 180 bytes of data, no device, all keys and tables', async () => {
    const own = await startRedis()
    const lean = redisStore({ url: own.url, deadline: '20s' })
    const client = createClient({ url: own.url })
    client.on('error', () => {})
    await client.connect()
    try {
      await lean.lifecycle.ready('memory')
      const at = lean.lifecycle.nowMs()
      const used = async () => Number(/used_memory:(\d+)/.exec(String(await client.info('memory')))![1])
      const subjects = 5_200
      const before = await used()
      for (let n = 0; n < subjects; n++) {
        const ref = subjectRef(randomBytes(16).toString('base64url'))
        const records = Array.from({ length: 5 }, () =>
          recordOf(ref, {
            createdAtMs: at,
            device: { id: '' },
            origin: {},
            roles: ['user'],
            amr: ['pwd'],
            refreshAtMs: at + 7 * DAY,
            data: JSON.stringify({ cart: randomBytes(84).toString('hex') }).padEnd(180),
            hash: new Uint8Array(randomBytes(32)),
          }),
        )
        await Promise.all(records.map((record) => lean.sessions.create(record, createRule, at)))
      }
      expect(await client.dbSize()).toBe(subjects * 6 + 1)
      const perSession = ((await used()) - before) / (subjects * 5)
      expect(perSession).toBeLessThanOrEqual(560)
      expect(perSession).toBeGreaterThan(400)
    } finally {
      client.destroy()
      await lean.lifecycle.close()
      await own.stop()
    }
  })
})
