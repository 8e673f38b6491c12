// A primary behind sentinels that is replaced, killed, frozen, or cut off together with those who use it.
import type { Store } from 'countersign/stores/contract'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { eventually } from '../../../../tools/test-support/redis-command.ts'
import { type RedisSentinels, startRedisSentinels } from '../../../../tools/test-support/redis-sentinel.ts'
import { startRespProxy } from '../../../../tools/test-support/resp-proxy.ts'
import { createRule, endedBy, endRule, loadOn, readyStore, recordOf, subjectRef } from './redis-kit.ts'

const MAX_LAG_MS = 2_000
/** What `docs/operations.md` promises, after a revocation was acknowledged by whoever has taken the place of a primary. */
const BOUND_MS = MAX_LAG_MS + 2_000
/** And after it lost its replicas, which is before anybody can have taken its place. */
const SILENCE_MS = MAX_LAG_MS + 3_000

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))
const cleanUp: (() => unknown)[] = []
afterEach(async () => {
  for (const undo of cleanUp.splice(0).reverse()) await undo()
})
const ready = (group: RedisSentinels, nodes = group.sentinels.map(({ url }) => url), more: object = {}) =>
  readyStore({ sentinels: { name: group.name, nodes, password: 'data' }, ...more }, (undo) => cleanUp.push(undo))
const recordNow = (store: Store, ref = subjectRef()) => recordOf(ref, { createdAtMs: store.lifecycle.nowMs() })

describe('a primary behind sentinels', () => {
  let group: RedisSentinels
  beforeAll(async () => {
    const args = ['--min-replicas-to-write', '1', '--min-replicas-max-lag', String(MAX_LAG_MS / 1_000)]
    group = await startRedisSentinels({ downAfterMs: 2_000, args })
  }, 120_000)
  afterAll(() => group?.stop())
  afterEach(async () => {
    for (const node of group.nodes) if (!node.isRunning) await node.restart()
    await group.settle()
  }, 120_000)

  it('that is replaced on request is followed at once, and what was read and written before holds', {
    timeout: 120_000,
  }, async () => {
    const store = await ready(group, undefined, { deadline: '20s' })
    const load = loadOn(store)
    const before = await group.primary()
    await group.failover()
    await sleep(2_000)
    const { faults, done } = await load.stop()
    // The connection to the old one is given up with what is under way on it: two loops, two requests.
    expect(faults.length).toBeLessThanOrEqual(2)
    for (const fault of faults)
      expect(fault).toMatchObject({ store: undefined, code: 'ERR_STORE_UNAVAILABLE', retryable: false })
    expect(done.read).toBeGreaterThan(0)
    await eventually(
      'health',
      async () => store.lifecycle.health(),
      ({ up, warnings }) => up && !warnings.join().includes('not been checked'),
    )
    expect(await group.primary()).not.toBe(before)
  })

  it('that is killed is waited for until its successor is there', { timeout: 120_000 }, async () => {
    const store = await ready(group, undefined, { deadline: '30s' })
    const load = loadOn(store)
    const primary = await group.settle()
    await primary.kill()
    await eventually('a successor', group.primary, (now) => now !== primary)
    await sleep(1_000)
    const { faults } = await load.stop()
    expect(faults.length).toBeLessThanOrEqual(2)
    for (const fault of faults) expect(fault).toMatchObject({ code: 'ERR_STORE_UNAVAILABLE', retryable: false })
    const record = recordNow(store)
    expect(await store.sessions.create(record, createRule, record.createdAtMs)).toMatchObject({ is: 'created' })
  })

  it('that fell silent is given up by the deadline, and not asked again when it wakes up', {
    timeout: 120_000,
  }, async () => {
    const store = await ready(group, undefined, { deadline: '1s' })
    const primary = await group.settle()
    const record = recordNow(store)
    await store.sessions.create(record, createRule, record.createdAtMs)
    await primary.kill('SIGSTOP')
    cleanUp.push(() => primary.kill('SIGCONT'))
    const asked = Date.now()
    await expect(store.sessions.end(record.id, 'logout', endRule, record.createdAtMs)).rejects.toMatchObject({
      store: 'redis',
    })
    expect(Date.now() - asked).toBeLessThan(5_000)
    await eventually('a successor', group.primary, (now) => now !== primary)
    await eventually(
      'it ends',
      () => store.sessions.end(record.id, 'logout', endRule, record.createdAtMs),
      ({ epoch }) => epoch === 0,
    )
    await primary.kill('SIGCONT')
    for (let n = 0; n < 20; n++) {
      expect(await endedBy(store, record.id)).toBe('logout')
      await sleep(50)
    }
  })

  it('whose replicas fell silent answers reads no longer than the stated bound, and goes on when they are back', {
    timeout: 120_000,
  }, async () => {
    const primary = await group.settle()
    const store = await ready(group, undefined, { deadline: '0.5s' })
    const record = recordNow(store)
    await store.sessions.create(record, createRule, record.createdAtMs)
    const replicas = group.nodes.filter((node) => node !== primary)
    const silentAt = performance.now()
    for (const replica of replicas) await replica.kill('SIGSTOP')
    cleanUp.push(() => Promise.all(replicas.map((replica) => replica.kill('SIGCONT'))))
    let lastAt = silentAt
    while (performance.now() < silentAt + SILENCE_MS + 4_000) {
      const askedAt = performance.now()
      if (
        await store.sessions.read(record.id).then(
          () => true,
          () => false,
        )
      )
        lastAt = askedAt
      await sleep(20)
    }
    // The rest is for a machine on which the servers have to wait for their turn.
    expect(lastAt - silentAt).toBeLessThan(SILENCE_MS + 2_000)
    for (const replica of replicas) await replica.kill('SIGCONT')
    await eventually(
      'they are back',
      () => store.sessions.read(record.id),
      ({ is }) => is === 'live',
    )
  })

  it('that is cut off with a client answers it no longer than the stated bound', { timeout: 120_000 }, async () => {
    const old = await group.settle()
    const here = await ready(group)
    // The one on the other side reaches the old primary over these sentinels alone, and they fall silent.
    const proxies = await Promise.all(group.sentinels.map(({ url }) => startRespProxy({ target: url })))
    cleanUp.push(() => Promise.all(proxies.map((proxy) => proxy.stop())))
    const beyond = await ready(
      group,
      proxies.map(({ url }) => url),
      { deadline: '0.5s' },
    )
    const record = recordNow(here)
    await here.sessions.create(record, createRule, record.createdAtMs)
    expect(await beyond.sessions.read(record.id)).toMatchObject({ is: 'live' })

    for (const proxy of proxies) proxy.pause()
    await group.isolate(old)
    let lastAt = performance.now()
    let isOver = false
    const reading = (async () => {
      while (!isOver) {
        const askedAt = performance.now()
        const found = await beyond.sessions.read(record.id).catch(() => undefined)
        if (found?.is === 'live') lastAt = askedAt
        await sleep(20)
      }
    })()
    const [revokedAt] = await Promise.all([
      eventually(
        'revoked on the other side',
        () => here.sessions.end(record.id, 'logout', endRule, record.createdAtMs),
        ({ epoch }) => epoch === 0,
      ).then(() => performance.now()),
      eventually('another primary', group.primary, (now) => now !== old),
    ])
    await sleep(BOUND_MS + 2_000)
    isOver = true
    await reading
    expect(await endedBy(here, record.id)).toBe('logout')
    // And a second for a machine on which everybody has to wait.
    expect(lastAt - revokedAt).toBeLessThan(BOUND_MS + 1_000)
    // The old primary itself would answer for ever.
    await expect(beyond.sessions.read(record.id)).rejects.toMatchObject({
      code: 'ERR_STORE_UNAVAILABLE',
      retryable: true,
    })

    for (const proxy of proxies) proxy.resume()
    await eventually(
      'it has found the new one',
      () => endedBy(beyond, record.id),
      (why) => why === 'logout',
    )
    await group.heal(old)
  })
})

it('warns that there is no bound without min-replicas-to-write', async () => {
  const group = await startRedisSentinels({ replicas: 1, sentinels: 1 })
  cleanUp.push(() => group.stop())
  const store = await ready(group)
  expect(store.lifecycle.health().warnings).toContainEqual(
    expect.stringContaining('no bound for a revocation (promise 2)'),
  )
}, 120_000)
