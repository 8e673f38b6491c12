// A cluster that changes while it is used: slots move key by key, primaries are replaced, killed, frozen and cut off.
import type { Store } from 'countersign/stores/contract'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { count } from '../../../../tools/test-support/counts.ts'
import { type ClusterNode, type RedisCluster, startRedisCluster } from '../../../../tools/test-support/redis-cluster.ts'
import { command, eventually } from '../../../../tools/test-support/redis-command.ts'
import { scripts } from '../../src/stores/redis/scripts.generated.ts'
import { createRule, endedBy, endRule, loadOn, readyStore, recordOf, subjectRef } from './redis-kit.ts'

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))
const cleanUp: (() => unknown)[] = []
afterEach(async () => {
  for (const undo of cleanUp.splice(0).reverse()) await undo()
})
const ready = (cluster: RedisCluster, more: object = {}) =>
  readyStore({ nodes: cluster.urls.slice(0, 2), ...more }, (undo) => cleanUp.push(undo))

const recordNow = (store: Store, ref: ReturnType<typeof subjectRef>) =>
  recordOf(ref, { createdAtMs: store.lifecycle.nowMs(), stamped: true })
const indexOf = ({ tag }: { tag: string }) => `cs:{${tag}}:u`

describe('a slot that moves', () => {
  let cluster: RedisCluster
  let store: Store
  beforeAll(async () => {
    cluster = await startRedisCluster({ replicas: 0 })
  }, 120_000)
  afterAll(() => cluster?.stop())

  const placeOf = async (ref: { tag: string }) => {
    const slot = await cluster.slotOf(indexOf(ref))
    const from = await cluster.ownerOf(slot)
    return { slot, from, to: cluster.nodes.find((node) => node !== from)! }
  }

  it('costs no call its answer, whatever it is', { timeout: 120_000 }, async () => {
    store = await ready(cluster, { deadline: '20s' })
    const load = loadOn(store)
    for (let round = 0; round < count(6, 60); round++) {
      const { slot, to } = await placeOf(load.ref)
      const move = await cluster.beginMove(slot, to)
      while ((await move.keys(1)) > 0) await sleep(5)
      await move.finish()
      await sleep(50)
    }
    const { done, faults } = await load.stop()
    expect(faults).toEqual([])
    for (const name of ['create', 'read', 'update', 'rotate', 'setRoles', 'end', 'list'])
      expect(done[name]).toBeGreaterThan(0)
  })

  it('moves other subjects and the floor without anybody noticing', async () => {
    store = await ready(cluster, { deadline: '20s' })
    const floorSlot = await cluster.slotOf('cs:{floor}')
    const from = await cluster.ownerOf(floorSlot)
    const { marker } = await store.sessions.floor()
    await cluster.moveSlot(floorSlot, cluster.nodes.find((node) => node !== from)!)
    expect((await store.sessions.floor()).marker).toBe(marker)
  })

  it.each([
    ['the index and the revocations have gone ahead', (ref: { tag: string }) => [indexOf(ref), `cs:{${ref.tag}}:r`]],
    [
      'a session has gone ahead',
      (_ref: { tag: string }, ids: string[]) => [`cs:{${ids[0]!.slice(0, 12)}}:s:${ids[0]}`],
    ],
  ])('ends all sessions of a subject and not the half that is there, when %s', async (_what, first) => {
    store = await ready(cluster, { deadline: '20s' })
    const ref = subjectRef()
    const records = [recordNow(store, ref), recordNow(store, ref), recordNow(store, ref)]
    const nowMs = store.lifecycle.nowMs()
    for (const record of records) await store.sessions.create(record, createRule, nowMs)
    const { slot, to } = await placeOf(ref)
    const move = await cluster.beginMove(slot, to)
    await move.these(
      ...first(
        ref,
        records.map(({ id }) => id),
      ),
    )

    const ending = store.sessions.endSubject(ref, 'admin', {}, nowMs)
    const listing = store.sessions.list(ref, null, { limit: 10, floorMs: 0 }, nowMs)
    // Long enough for both to have been tried on either side.
    await sleep(400)
    await move.finish()
    const [ended] = await Promise.all([ending, listing])
    expect(ended.ids.toSorted()).toEqual(records.map(({ id }) => id).toSorted())
    for (const { id } of records) expect(await endedBy(store, id)).toBe('admin')
  })

  it('is told as retryable when it takes longer than the deadline', async () => {
    store = await ready(cluster, { deadline: '0.5s' })
    const ref = subjectRef()
    const record = recordNow(store, ref)
    await store.sessions.create(record, createRule, record.createdAtMs)
    const { slot, to } = await placeOf(ref)
    const move = await cluster.beginMove(slot, to)
    await move.these(indexOf(ref))
    const end = () => store.sessions.end(record.id, 'logout', endRule, record.createdAtMs)
    await expect(end()).rejects.toMatchObject({
      code: 'ERR_STORE_UNAVAILABLE',
      retryable: true,
      message: expect.stringContaining('TRYAGAIN'),
    })
    // A read asks for one key, and that is always somewhere.
    expect(await store.sessions.read(record.id)).toMatchObject({ is: 'live' })
    await move.finish()
    expect(await end()).toMatchObject({ ids: [record.id] })
  })
})

describe('a primary that is replaced', () => {
  let cluster: RedisCluster
  beforeAll(async () => {
    cluster = await startRedisCluster({ nodeTimeoutMs: 2_000 })
  }, 120_000)
  afterAll(() => cluster?.stop())
  afterEach(async () => {
    for (const node of cluster.nodes) if (!node.isRunning) await node.restart()
    await cluster.settle()
  }, 120_000)

  const holderOf = async (ref: { tag: string }) => cluster.ownerOf(await cluster.slotOf(indexOf(ref)))

  it('in agreement costs no call its answer', { timeout: 120_000 }, async () => {
    const store = await ready(cluster, { deadline: '20s' })
    const load = loadOn(store)
    for (let round = 0; round < count(2, 20); round++) {
      const [replica] = await cluster.replicasOf(await holderOf(load.ref))
      await cluster.failover(replica!)
      await cluster.settle()
      await sleep(100)
    }
    expect((await load.stop()).faults).toEqual([])
    expect(store.lifecycle.health()).toMatchObject({ up: true })
  })

  it('because it was killed costs only what was under way, and every other call waits for its successor', {
    timeout: 120_000,
  }, async () => {
    const store = await ready(cluster, { deadline: '20s' })
    const load = loadOn(store)
    const primary = await holderOf(load.ref)
    await sleep(300)
    await primary.kill()
    await eventually(
      'a successor',
      () => holderOf(load.ref),
      (holder) => holder !== primary,
    )
    await sleep(1_000)
    const { faults } = await load.stop()
    // Two loops, so at most two requests were under way. Reads are asked again.
    expect(faults.length).toBeLessThanOrEqual(2)
    for (const fault of faults) {
      expect(fault).toMatchObject({
        code: expect.stringMatching(/^ERR_STORE_(UNAVAILABLE|TIMEOUT)$/),
        retryable: false,
      })
      expect(fault.call).not.toBe('read')
    }
    const record = recordNow(store, load.ref)
    expect(await store.sessions.create(record, createRule, record.createdAtMs)).toMatchObject({ is: 'created' })
    await eventually(
      'health',
      async () => store.lifecycle.health(),
      ({ up, warnings }) => up && !warnings.join().includes('not been checked'),
    )
  })

  it('because it fell silent is given up by the deadline, for its successor', { timeout: 120_000 }, async () => {
    const store = await ready(cluster, { deadline: '1s' })
    const ref = subjectRef()
    const record = recordNow(store, ref)
    await store.sessions.create(record, createRule, record.createdAtMs)
    await cluster.settle()
    const primary = await holderOf(ref)
    await primary.kill('SIGSTOP')
    cleanUp.push(() => primary.kill('SIGCONT'))
    const asked = Date.now()
    await expect(store.sessions.end(record.id, 'logout', endRule, record.createdAtMs)).rejects.toMatchObject({
      store: 'redis',
    })
    expect(Date.now() - asked).toBeLessThan(5_000)
    await eventually(
      'the successor answers',
      () => store.sessions.floor().then(() => store.sessions.read(record.id)),
      ({ is }) => is !== 'unknown',
    )
    await eventually(
      'a successor',
      () => holderOf(ref),
      (holder) => holder !== primary,
    )
    expect(await store.sessions.end(record.id, 'logout', endRule, record.createdAtMs)).toMatchObject({ epoch: 0 })
    expect(await endedBy(store, record.id)).toBe('logout')
    // It wakes up, believing that it is the primary still, and is not asked.
    await primary.kill('SIGCONT')
    for (let n = 0; n < 20; n++) expect(await endedBy(store, record.id)).toBe('logout')
  })

  it('without a request is noticed within ten seconds', { timeout: 120_000 }, async () => {
    const store = await ready(cluster)
    const primary = await holderOf(subjectRef())
    const [replica] = await cluster.replicasOf(primary)
    await cluster.failover(replica!)
    // The scripts are there before anybody needs them.
    const isLoaded = async () => (await command(replica!.url, 'SCRIPT', 'EXISTS', scripts.readFloor.sha1)) as number[]
    await eventually('the scripts are on the new primary', isLoaded, ([is]) => is === 1, 15_000)
    expect(store.lifecycle.health()).toMatchObject({ up: true })
  })
})

describe('a primary that is cut off from the majority', () => {
  it('stops to answer, reads too, before anybody else could have taken its place for long', {
    timeout: 120_000,
  }, async () => {
    const cluster = await startRedisCluster({ nodeTimeoutMs: 2_000, replicas: 0 })
    cleanUp.push(() => cluster.stop())
    const store = await ready(cluster, { deadline: '0.5s' })
    const ref = subjectRef()
    const record = recordNow(store, ref)
    await store.sessions.create(record, createRule, record.createdAtMs)
    const here = await cluster.ownerOf(await cluster.slotOf(indexOf(ref)))
    const others = cluster.nodes.filter((node: ClusterNode) => node !== here)
    const cutAt = performance.now()
    for (const node of others) await node.kill('SIGSTOP')
    cleanUp.push(async () => {
      for (const node of others) await node.kill('SIGCONT')
    })
    let lastAnswerAt = cutAt
    const untilMs = cutAt + 9_000
    while (performance.now() < untilMs) {
      const askedAt = performance.now()
      const answered = await store.sessions.read(record.id).then(
        () => true,
        () => false,
      )
      if (answered) lastAnswerAt = askedAt
      await sleep(20)
    }
    // One and a half times the node timeout; the rest is for a machine on which the servers have to wait for their turn.
    expect(lastAnswerAt - cutAt).toBeLessThan(6_000)
    for (const node of others) await node.kill('SIGCONT')
    await eventually(
      'the majority is back',
      () => store.sessions.read(record.id),
      ({ is }) => is === 'live',
    )
  })
})
