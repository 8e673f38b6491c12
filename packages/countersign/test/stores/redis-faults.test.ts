// What the Redis store does when the server is slow, gone, full, or refuses.
import { readFileSync } from 'node:fs'
import { systemRuntime } from 'countersign'
import { samples } from 'countersign/conformance'
import type { Store } from 'countersign/stores/contract'
import { redisStore } from 'countersign/stores/redis'
import { createClient } from 'redis'
import { afterEach, describe, expect, it } from 'vitest'
import { type RedisOptions, startRedis } from '../../../../tools/test-support/redis-server.ts'
import { startRespProxy } from '../../../../tools/test-support/resp-proxy.ts'
import { createNodeRedis, PING_MS } from '../../src/stores/redis/node-redis.ts'

const { createRule, endRule, HOUR, MINUTE, recordOf, refresh, sessionId, subjectRef } = samples

const cleanUp: (() => unknown)[] = []
afterEach(async () => {
  for (const undo of cleanUp.splice(0).reverse()) await undo()
})

async function setUp(options: RedisOptions = {}, storeOptions: object = {}) {
  const server = await startRedis(options)
  cleanUp.push(() => server.stop())
  return { server, raw: await rawClient(server.url), store: await ready(server.url, storeOptions) }
}

async function ready(url: string, options: object = {}): Promise<Store> {
  const store = redisStore({ url, ...options })
  cleanUp.push(() => store.lifecycle.close())
  await store.lifecycle.ready('faults')
  return store
}

async function rawClient(url: string) {
  const raw = createClient({ url })
  raw.on('error', () => {})
  await raw.connect()
  cleanUp.push(() => raw.destroy())
  return raw
}

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))
const outcome = (call: Promise<unknown>) => call.then((value) => ({ value })).catch((error: unknown) => error)

/** For what must come about by itself, on a machine that does other things too. */
const PATIENCE_MS = 60_000
async function until(what: () => Promise<boolean>): Promise<void> {
  const started = Date.now()
  while (!(await what())) {
    if (Date.now() - started > PATIENCE_MS) throw new Error(`not within ${PATIENCE_MS} ms`)
    await sleep(20)
  }
}

const recordNow = (store: Store, ref = subjectRef()) => recordOf(ref, { createdAtMs: store.lifecycle.nowMs() })

describe('a server that does not answer', () => {
  it('is told by the deadline, with an unknown outcome, and used again when it wakes up', async () => {
    const { server, store } = await setUp({}, { deadline: '1s' })
    const patient = await ready(server.url, { deadline: '60s' })
    const record = recordNow(store)
    await store.sessions.create(record, createRule, record.createdAtMs)
    await server.kill('SIGSTOP')
    cleanUp.push(() => server.kill('SIGCONT'))
    const started = Date.now()
    let isPatient = true
    const waits = patient.sessions.read(record.id).finally(() => {
      isPatient = false
    })
    const errors = await Promise.all([
      outcome(store.sessions.read(record.id)),
      outcome(store.sessions.end(record.id, 'logout', endRule, record.createdAtMs)),
      outcome(store.sessions.floor()),
    ])
    // It was its own deadline that ended the wait: nobody else's, and not the server.
    expect(Date.now() - started).toBeGreaterThanOrEqual(995)
    expect(isPatient).toBe(true)
    for (const error of errors) {
      expect(error).toMatchObject({ code: 'ERR_STORE_TIMEOUT', store: 'redis' })
      expect((error as { retryable?: boolean }).retryable).toBeUndefined()
    }
    await server.kill('SIGCONT')
    expect((await waits).is).toMatch(/^(live|ended)$/)
    await until(async () => 'value' in ((await outcome(store.sessions.read(record.id))) as object))
    // The write of which nothing was known has happened: the server read it when it woke up.
    expect(await store.sessions.read(record.id)).toMatchObject({ is: 'ended' })
  })

  it('under constant load is given up and connected to anew: writes alone keep a dead connection alive', async () => {
    const server = await startRedis()
    const proxy = await startRespProxy({ target: server.url })
    cleanUp.push(
      () => server.stop(),
      () => proxy.stop(),
    )
    const store = await ready(proxy.url, { deadline: '0.5s' })
    const id = sessionId(subjectRef())
    const connections = proxy.counts().connections.length
    proxy.pause()
    const calls: Promise<unknown>[] = []
    const load = setInterval(() => calls.push(outcome(store.sessions.read(id))), 50)
    try {
      await until(async () => proxy.counts().connections.length > connections)
      proxy.resume()
      await until(async () => 'value' in ((await outcome(store.sessions.read(id))) as object))
    } finally {
      clearInterval(load)
    }
    for (const result of await Promise.all(calls)) {
      if ('value' in (result as object)) continue
      expect(['ERR_STORE_TIMEOUT', 'ERR_STORE_UNAVAILABLE']).toContain((result as { code: string }).code)
    }
  })
})

describe('a server that goes away', () => {
  it('is an outage and no logout, and comes back by itself', async () => {
    const { server, store } = await setUp({ appendonly: true, appendfsync: 'always' })
    const record = recordNow(store)
    expect(await store.sessions.create(record, createRule, record.createdAtMs)).toMatchObject({ durability: 'fsynced' })
    expect(store.lifecycle.health()).toMatchObject({ up: true })
    await server.kill()
    await until(async () => !store.lifecycle.health().up)
    const started = Date.now()
    for (const call of [
      () => store.sessions.read(record.id),
      () => store.sessions.end(record.id, 'logout', endRule, record.createdAtMs),
      () => store.accounts.subjectOf({ identifier: 'a' }),
      () => store.revocations.read(record.id.slice(0, 12)),
    ]) {
      expect(await outcome(call())).toMatchObject({ code: 'ERR_STORE_UNAVAILABLE', retryable: true, store: 'redis' })
    }
    // At once, that is: none of the four waited for its deadline of 2 s.
    expect(Date.now() - started).toBeLessThan(2_000)
    await server.restart()
    await until(async () => 'value' in ((await outcome(store.sessions.read(record.id))) as object))
    expect(await store.sessions.read(record.id)).toMatchObject({ is: 'live' })
    // What a write is worth is proven again, for the server that is there now.
    await until(
      async () => (await store.sessions.setRoles(subjectRef(), [], record.createdAtMs)).durability === 'fsynced',
    )
  })

  it('with the request under way leaves its outcome unknown', async () => {
    const server = await startRedis()
    const proxy = await startRespProxy({ target: server.url })
    cleanUp.push(
      () => server.stop(),
      () => proxy.stop(),
    )
    const store = await ready(proxy.url)
    const record = recordNow(store)
    proxy.pause('answers')
    const raw = await rawClient(server.url)
    const call = outcome(store.sessions.create(record, createRule, record.createdAtMs))
    await until(async () => (await raw.keys(`*${record.id}`)).length === 1)
    proxy.cut()
    proxy.resume()
    const error = (await call) as { code: string; retryable?: boolean }
    expect(error).toMatchObject({ code: 'ERR_STORE_UNAVAILABLE' })
    expect(error.retryable).toBeUndefined()
    await until(async () => store.lifecycle.health().up)
    // It had been executed; the same call again changes nothing.
    expect(await store.sessions.create(record, createRule, record.createdAtMs)).toEqual({ is: 'exists' })
  })

  it('and comes back empty is recognised by its new marker', async () => {
    const { store, raw } = await setUp()
    const { marker } = await store.sessions.floor()
    await raw.flushAll()
    const after = (await store.sessions.floor()).marker
    expect(after).toMatch(/^[\w-]{16}$/)
    expect(after).not.toBe(marker)
    expect((await store.sessions.floor()).marker).toBe(after)
  })
})

describe('ready', () => {
  it('gives up in bounded time on a server that is not there, naming the host and never the password', async () => {
    const server = await startRedis()
    await server.stop()
    const quick = { setTimeout: (fn: () => void, ms: number) => systemRuntime.timers.setTimeout(fn, ms / 20) }
    const runtime = { ...systemRuntime, timers: { ...systemRuntime.timers, ...quick } }
    const store = redisStore({ url: `redis://user:canary@127.0.0.1:${server.port}`, runtime })
    const error = (await outcome(store.lifecycle.ready('faults'))) as Error
    expect(error).toMatchObject({ code: 'ERR_STORE_UNAVAILABLE', retryable: true })
    expect(error.message).toContain(`127.0.0.1:${server.port}`)
    expect(`${error.message} ${error.stack} ${String(error.cause)}`).not.toContain('canary')
    // It may be asked again, and finds the server once it is there.
    const again = await startRedis({ port: server.port })
    cleanUp.push(
      () => again.stop(),
      () => store.lifecycle.close(),
    )
    const withoutUser = await ready(again.url)
    expect(withoutUser.lifecycle.health().up).toBe(true)
  })

  it.each([
    ['a wrong password', 'redis://:canary@127.0.0.1'],
    ['no password', 'redis://127.0.0.1'],
  ])('does not wait when the server refuses %s', async (_what, base) => {
    const server = await startRedis({ requirepass: 'right' })
    cleanUp.push(() => server.stop())
    const store = redisStore({ url: `${base}:${server.port}` })
    const started = Date.now()
    const error = (await outcome(store.lifecycle.ready('faults'))) as Error
    expect(error).toMatchObject({ code: 'ERR_STORE_MISCONFIGURED' })
    expect(error.message).toContain(`127.0.0.1:${server.port}`)
    expect(`${error.message} ${String(error.cause)}`).not.toContain('canary')
    // Of a server that is not there it would have gone on asking for 10 s.
    expect(Date.now() - started).toBeLessThan(9_000)
    await store.lifecycle.close()
  })

  it('refuses a store that was set up with another placement key, also when that comes to light later', async () => {
    const { server, store, raw } = await setUp()
    const other = redisStore({ url: server.url })
    expect(await outcome(other.lifecycle.ready('other'))).toMatchObject({ code: 'ERR_STORE_MISCONFIGURED' })
    await other.lifecycle.close()

    await raw.hSet('cs:{floor}', 'placement', 'other')
    await raw.sendCommand(['CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes'])
    await until(async () => {
      const error = (await outcome(store.sessions.read(sessionId(subjectRef())))) as { code?: string }
      return error.code === 'ERR_STORE_MISCONFIGURED'
    })
    expect(store.lifecycle.health()).toMatchObject({ up: false })
    expect(store.lifecycle.health().warnings[0]).toContain('another placement key')
  })

  it('goes on trying while the server refuses for a reason that passes', async () => {
    const server = await startRedis({ args: ['--min-replicas-to-write', '1'] })
    cleanUp.push(() => server.stop())
    const raw = await rawClient(server.url)
    const becomesReady = ready(server.url)
    await sleep(1_500)
    await raw.configSet('min-replicas-to-write', '0')
    expect((await becomesReady).lifecycle.health().up).toBe(true)
  })

  it('works for a user with the few rights that docs/storage-schema.md names', async () => {
    const server = await startRedis()
    cleanUp.push(() => server.stop())
    const raw = await rawClient(server.url)
    const schema = readFileSync(new URL('../../../../docs/storage-schema.md', import.meta.url), 'utf8')
    const rights = /^ACL SETUSER countersign on >password (.*)$/m.exec(schema)![1]!.split(' ')
    // The server knows the name only from 7.2 on; the client does without.
    const known = rights.filter((right) => right !== '+client|setinfo')
    await raw.sendCommand(['ACL', 'SETUSER', 'countersign', 'on', '>pw', ...known])
    const store = await ready(`redis://countersign:pw@127.0.0.1:${server.port}`)
    expect(store.lifecycle.health().warnings[0]).toContain('CONFIG GET is refused')
    const ref = subjectRef()
    const record = recordNow(store, ref)
    const now = record.createdAtMs
    await store.sessions.create({ ...record, stamped: true }, createRule, now)
    await store.sessions.update(record.id, { data: '1' }, 1, now)
    expect(await refresh(store, record.id, 0, now + MINUTE)).toMatchObject({ is: 'rotated', durability: 'local' })
    await store.revocations.deny(ref, 'j', now + HOUR, now)
    await store.sessions.setRoles(ref, [], now)
    expect((await store.sessions.endSubject(ref, 'admin', { block: true }, now + MINUTE)).ids).toEqual([record.id])
    expect((await store.revocations.read(ref.tag)).is).toBe('known')
    await store.sessions.raiseFloor('admin', now)
    const account = {
      ...ref,
      identifier: 'a',
      version: 1,
      passwordHash: 'x',
      passwordChangedAtMs: 0,
      roles: [],
      blocked: null,
      createdAtMs: 0,
      unsettled: null,
    }
    expect(await store.accounts.create(account)).toEqual({ is: 'created' })
    expect(await store.accounts.replace({ ...account, version: 2 }, 1)).toEqual({ is: 'stored' })
  })
})

it('a connection that is given up while it is being made leaves nothing behind', async () => {
  const server = await startRedis()
  cleanUp.push(() => server.stop())
  const raw = await rawClient(server.url)
  const connections = async () => (await raw.sendCommand(['CLIENT', 'LIST'])).toString().trim().split('\n').length
  const client = await createNodeRedis({ host: '127.0.0.1', port: server.port, login: {} }, systemRuntime.random)
  const errors: unknown[] = []
  client.on('error', (error) => errors.push(error))
  const isReady = new Promise((resolve) => client.on('ready', resolve))
  client.connect().catch(() => {})
  client.destroy()
  // The package makes it all the same.
  await isReady
  expect(client.isReady).toBe(false)
  await until(async () => (await connections()) === 1)
  await sleep(2 * PING_MS)
  expect(errors).toEqual([])
})

describe('a server that refuses', () => {
  it('for lack of memory still ends sessions, and says so to whoever adds some', async () => {
    const { store, raw } = await setUp({ policy: 'noeviction' })
    const ref = subjectRef()
    const [a, b] = [recordNow(store, ref), recordNow(store, ref)]
    const now = a.createdAtMs
    await store.sessions.create(a, createRule, now)
    await store.sessions.create(b, createRule, now)
    await raw.configSet('maxmemory', '500kb')

    for (const call of [
      () => store.sessions.create(recordNow(store), createRule, now),
      () => store.sessions.update(a.id, { data: '1' }, 1, now),
    ]) {
      expect(await outcome(call())).toMatchObject({
        code: 'ERR_STORE_UNAVAILABLE',
        retryable: true,
        message: expect.stringContaining('memory of the server is full'),
      })
    }
    expect(await store.sessions.read(a.id)).toMatchObject({ is: 'live' })
    await store.sessions.touch(a.id, { idleAtMs: now + HOUR }, now)
    expect(await refresh(store, a.id, 0, now + MINUTE)).toMatchObject({ is: 'rotated' })
    expect(await store.sessions.setRoles(ref, [], now)).toMatchObject({ ids: expect.arrayContaining([a.id, b.id]) })
    expect(await store.sessions.end(a.id, 'logout', endRule, now)).toMatchObject({ ids: [a.id] })
    expect(await store.sessions.endSubject(ref, 'admin', { block: true }, now)).toMatchObject({ ids: [b.id] })
    expect(await store.sessions.read(b.id)).toMatchObject({ is: 'ended' })
    expect(await store.sessions.raiseFloor('admin', now)).toMatchObject({ notBeforeMs: now })
    await store.revocations.deny(ref, 'j', now + HOUR, now)
  })

  it('for lack of replicas is asked again, and told as retryable when it goes on', async () => {
    // The pauses between the tries are ten times as long, so that the setting changes between two of them.
    const slow = (fn: () => void, ms: number) => systemRuntime.timers.setTimeout(fn, ms < 1_000 ? ms * 10 : ms)
    const runtime = { ...systemRuntime, timers: { ...systemRuntime.timers, setTimeout: slow } }
    const { store, raw } = await setUp({}, { deadline: '60s', runtime })
    const record = recordNow(store)
    await store.sessions.create(record, createRule, record.createdAtMs)
    await raw.configSet('min-replicas-to-write', '1')
    const end = () => store.sessions.end(record.id, 'logout', endRule, record.createdAtMs)
    expect(await outcome(end())).toMatchObject({ code: 'ERR_STORE_UNAVAILABLE', retryable: true })
    expect(await store.sessions.read(record.id)).toMatchObject({ is: 'live' })
    const again = end()
    await sleep(30)
    await raw.configSet('min-replicas-to-write', '0')
    expect(await again).toMatchObject({ ids: [record.id] })
  })

  it('because it became a replica is told as retryable', async () => {
    const { store, raw } = await setUp()
    const record = recordNow(store)
    await raw.sendCommand(['REPLICAOF', '127.0.0.1', '1'])
    expect(await outcome(store.sessions.create(record, createRule, record.createdAtMs))).toMatchObject({
      code: 'ERR_STORE_UNAVAILABLE',
      retryable: true,
      message: expect.stringContaining('READONLY'),
    })
  })
})

it("uses the application's own client as it is, and leaves it open", async () => {
  const server = await startRedis()
  cleanUp.push(() => server.stop())
  const client = await rawClient(server.url)
  const store = redisStore({ client })
  await store.lifecycle.ready('faults')
  const record = recordNow(store)
  expect(await store.sessions.create(record, createRule, record.createdAtMs)).toMatchObject({ is: 'created' })
  expect(await store.sessions.read(record.id)).toMatchObject({ is: 'live' })
  expect(store.lifecycle.health().warnings.at(-1)).toContain('client was given')
  await store.lifecycle.close()
  expect(await client.ping()).toBe('PONG')
})
