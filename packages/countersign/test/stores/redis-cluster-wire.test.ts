// What a store on a cluster sends, and what it does when an answer is lost on the way.
import type { Store } from 'countersign/stores/contract'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { type RedisCluster, startRedisCluster } from '../../../../tools/test-support/redis-cluster.ts'
import { command, eventually } from '../../../../tools/test-support/redis-command.ts'
import { type RespProxy, startRespProxy } from '../../../../tools/test-support/resp-proxy.ts'
import { resolveRedisOptions } from '../../src/stores/redis/options.ts'
import { scripts } from '../../src/stores/redis/scripts.generated.ts'
import { transportTo } from '../../src/stores/redis/transport.ts'
import { createRule, endedBy, endRule, readyStore, recordOf, subjectRef } from './redis-kit.ts'

const cleanUp: (() => unknown)[] = []
afterEach(async () => {
  for (const undo of cleanUp.splice(0).reverse()) await undo()
})

let cluster: RedisCluster
let proxies: RespProxy[]
beforeAll(async () => {
  cluster = await startRedisCluster({ replicas: 0 })
  const names = new Map<string, string>(Object.values(scripts).map(({ sha1, name }) => [sha1, name]))
  proxies = await Promise.all(cluster.nodes.map(({ url }) => startRespProxy({ target: url, scripts: names })))
}, 120_000)
afterAll(async () => {
  for (const proxy of proxies ?? []) await proxy.stop()
  await cluster?.stop()
})

const ready = (more: object = {}) => {
  const nodeAddressMap = Object.fromEntries(
    cluster.nodes.map(({ port }, n) => [`127.0.0.1:${port}`, `127.0.0.1:${proxies[n]!.port}`]),
  )
  return readyStore({ nodes: [proxies[0]!.url], nodeAddressMap, ...more }, (undo) => cleanUp.push(undo))
}

const recordNow = (store: Store, ref: ReturnType<typeof subjectRef>) =>
  recordOf(ref, { createdAtMs: store.lifecycle.nowMs() })

/** All requests of all nodes, without what keeps connections alive and the map of the cluster up to date. */
function requests(): Record<string, number> {
  const sum: Record<string, number> = {}
  for (const proxy of proxies) {
    const { commands, scripts: ran } = proxy.counts()
    for (const [name, n] of [...Object.entries(commands), ...Object.entries(ran)])
      if (!/^(PING|EVALSHA|CLUSTER\|.*)$/.test(name)) sum[name] = (sum[name] ?? 0) + n
  }
  return sum
}

describe('a store on a cluster', () => {
  it('sends one request per method, to the node that has the slot', async () => {
    const store = await ready()
    for (let n = 0; n < 20; n++) {
      const ref = subjectRef()
      const record = recordNow(store, ref)
      for (const [request, call] of [
        ['create-session', () => store.sessions.create(record, createRule, record.createdAtMs)],
        ['GET', () => store.sessions.read(record.id)],
        ['end-session', () => store.sessions.end(record.id, 'logout', endRule, record.createdAtMs)],
      ] as const) {
        for (const proxy of proxies) proxy.reset()
        await call()
        expect(requests()).toEqual({ [request]: 1 })
      }
    }
  })

  it('sends one more where a slot has moved, once', async () => {
    const store = await ready()
    const ref = subjectRef()
    const record = recordNow(store, ref)
    await store.sessions.create(record, createRule, record.createdAtMs)
    const slot = await cluster.slotOf(`cs:{${ref.tag}}:u`)
    const from = await cluster.ownerOf(slot)
    for (const proxy of proxies) proxy.reset()
    await cluster.moveSlot(slot, cluster.nodes.find((node) => node !== from)!)
    await store.sessions.read(record.id)
    // One, if the map happened to be read again meanwhile.
    const first = requests().GET!
    expect(first).toBeLessThanOrEqual(2)
    await store.sessions.read(record.id)
    expect(requests().GET).toBe(first + 1)
  })

  it('asks again for what it only read, and not for what it may have written', async () => {
    const store = await ready({ deadline: '10s' })
    const ref = subjectRef()
    const [read, ended] = [recordNow(store, ref), recordNow(store, ref)]
    for (const record of [read, ended]) await store.sessions.create(record, createRule, record.createdAtMs)
    for (const proxy of proxies) {
      proxy.pause('answers')
      proxy.reset()
    }
    const reading = store.sessions.read(read.id)
    const ending = store.sessions.end(ended.id, 'logout', endRule, ended.createdAtMs)
    const lost = expect(ending).rejects.toMatchObject({ message: expect.stringContaining('before the answer') })
    await eventually(
      'both are on the way',
      async () => requests(),
      (sent) => sent.GET === 1 && sent['end-session'] === 1,
    )
    for (const proxy of proxies) {
      proxy.cut()
      proxy.resume()
    }
    await lost
    expect(await reading).toMatchObject({ is: 'live' })
    expect(requests()).toMatchObject({ GET: 2, 'end-session': 1 })
    // It had been executed.
    expect(await endedBy(store, ended.id)).toBe('logout')
  })

  it('says so when the nodes send each other a request, within the deadline and without a storm', async () => {
    const store = await ready({ deadline: '3s' })
    const ref = subjectRef()
    const slot = await cluster.slotOf(`cs:{${ref.tag}}:u`)
    const owner = await cluster.ownerOf(slot)
    const [one, two] = cluster.nodes.filter((node) => node !== owner)
    const set = (node: typeof owner, to: typeof owner) =>
      command(node.url, 'CLUSTER', 'SETSLOT', String(slot), 'NODE', to.id)
    // Whoever is asked names another one, and nobody has it.
    await set(owner, one!)
    await set(one!, two!)
    await set(two!, one!)
    for (const proxy of proxies) proxy.reset()
    const record = recordNow(store, ref)
    await expect(store.sessions.read(record.id)).rejects.toMatchObject({
      code: 'ERR_STORE_UNAVAILABLE',
      retryable: true,
    })
    expect(requests().GET).toBeLessThan(60)
    for (const node of cluster.nodes) await set(node, owner)
    await cluster.settle()
    expect(await store.sessions.read(record.id)).toEqual({ is: 'unknown' })
  })

  it('loads the scripts on every node, and does without where they were forgotten', async () => {
    const store = await ready()
    for (const { url } of cluster.nodes) await command(url, 'SCRIPT', 'FLUSH')
    for (let n = 0; n < 10; n++) {
      const record = recordNow(store, subjectRef())
      expect(await store.sessions.create(record, createRule, record.createdAtMs)).toMatchObject({ is: 'created' })
    }
    await store.lifecycle.close()
    await ready()
    for (const { url } of cluster.nodes) {
      const known = await command(url, 'SCRIPT', 'EXISTS', ...Object.values(scripts).map(({ sha1 }) => sha1))
      expect(known).toEqual(Object.values(scripts).map(() => 1))
    }
  })
})

it('a node that gets its first slot is asked, checked, and told of', { timeout: 120_000 }, async () => {
  const own = await startRedisCluster({ primaries: 2, replicas: 0 })
  cleanUp.push(() => own.stop())
  const [full, empty] = own.nodes
  const upper = ['8192', '16383']
  await command(empty!.url, 'CLUSTER', 'DELSLOTSRANGE', ...upper)
  await eventually(
    'one node has all slots',
    async () => {
      // News from before, still on its way, may tell it once more that the other one has them.
      await command(full!.url, 'CLUSTER', 'DELSLOTSRANGE', ...upper).catch(() => {})
      return command(full!.url, 'CLUSTER', 'ADDSLOTSRANGE', ...upper)
    },
    (answer) => answer === 'OK',
  )
  await command(full!.url, 'CLUSTER', 'BUMPEPOCH')
  await own.settle()

  const { executor } = transportTo(resolveRedisOptions({ nodes: own.urls }))
  let changes = 0
  executor.onTopology(() => changes++)
  await executor.connect()
  cleanUp.push(() => executor.close())
  const store = await readyStore({ nodes: own.urls }, (undo) => cleanUp.push(undo))
  const ref = subjectRef()
  const key = `cs:{${ref.tag}}:u`
  expect(executor.primaries().map(({ id }) => id)).toEqual([`127.0.0.1:${full!.port}`])
  expect(executor.primaryOf(key)).toBe(executor.primaries()[0])

  const move = await own.beginMove(await own.slotOf(key), empty!)
  const record = recordNow(store, ref)
  // Nothing is there yet, so the node that has the slot sends on whoever asks.
  expect(await store.sessions.read(record.id)).toEqual({ is: 'unknown' })
  expect(await executor.get(key)).toBeNull()
  const before = changes
  await move.finish()
  expect(await store.sessions.create(record, createRule, record.createdAtMs)).toMatchObject({ is: 'created' })
  expect(await executor.get(`cs:{${ref.tag}}:s:${record.id}`)).not.toBeNull()
  expect(changes).toBeGreaterThan(before)
  expect(
    executor
      .primaries()
      .map(({ id }) => id)
      .toSorted(),
  ).toEqual(own.nodes.map(({ port }) => `127.0.0.1:${port}`).toSorted())
  const owner = executor.primaryOf(key)!
  expect(owner.id).toBe(`127.0.0.1:${empty!.port}`)
  await eventually(
    'it is checked',
    async () => store.lifecycle.health().warnings.join(),
    (text) => !text.includes('not been checked'),
  )

  // What a feed of changes needs: a connection of its own to that very server, with the same login.
  const client = await owner.open!({ pingInterval: 300 })
  client.on('error', () => {})
  await client.connect()
  expect(String(await client.sendCommand(['CLUSTER', 'MYID']))).toBe(empty!.id)
  client.destroy()
  expect(String(await owner.send(['CLUSTER', 'MYID']))).toBe(empty!.id)
})
