// Clients of ioredis that belong to the application: the same store over them.
import { storeSuite } from 'countersign/conformance'
import { redisStore } from 'countersign/stores/redis'
import { Cluster, Redis } from 'ioredis'
import { Cluster as Cluster5, Redis as Redis5 } from 'ioredis-5'
import * as runner from 'vitest'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { count } from '../../../../tools/test-support/counts.ts'
import { type RedisCluster, startRedisCluster } from '../../../../tools/test-support/redis-cluster.ts'
import { eventually } from '../../../../tools/test-support/redis-command.ts'
import { startRedisSentinels } from '../../../../tools/test-support/redis-sentinel.ts'
import { type RedisServer, startRedis } from '../../../../tools/test-support/redis-server.ts'
import { createRule, endedBy, endRule, loadOn, readyStore, recordOf, subjectRef } from './redis-kit.ts'

const cleanUp: (() => unknown)[] = []
afterEach(async () => {
  for (const undo of cleanUp.splice(0).reverse()) await undo()
})
const ready = (options: Parameters<typeof redisStore>[0]) => readyStore(options, (undo) => cleanUp.push(undo))
const once = { autoResendUnfulfilledCommands: false }
const clusterOnce = { retryDelayOnFailover: 0 }

let server: RedisServer
let cluster: RedisCluster
beforeAll(async () => {
  ;[server, cluster] = await Promise.all([
    startRedis({ appendonly: true, appendfsync: 'always' }),
    startRedisCluster({ primaries: 3, replicas: 0, appendonly: true, appendfsync: 'always' }),
  ])
}, 120_000)
afterAll(async () => {
  await server?.stop()
  await cluster?.stop()
})

let opened = 0
const clients = {
  'ioredis 6': () => new Redis(server.port, { ...once, db: opened++ }),
  'ioredis 6, a cluster': () => new Cluster([...cluster.urls], clusterOnce),
}
for (const [name, make] of Object.entries(clients)) {
  storeSuite({
    runner,
    name,
    rounds: count(50, 1_000),
    async open() {
      const client = make()
      client.on('error', () => {})
      const options = { client, prefix: `io:${opened++}` }
      let store = redisStore(options)
      return {
        store,
        async reopen() {
          await store.lifecycle.close()
          store = redisStore(options)
          return store
        },
        async dispose() {
          await store.lifecycle.close()
          client.disconnect()
        },
      }
    },
  })
}

describe('a client of ioredis', () => {
  it.each([
    ['5', () => new Redis5(server.port, { ...once, keyPrefix: 'app:' })],
    ['5, a cluster', () => new Cluster5([...cluster.urls], { ...clusterOnce, lazyConnect: true })],
    ['6 with RESP 2', () => new Redis(server.port, { ...once, protocol: 2, lazyConnect: true })],
    ['6 with its own shapes', () => new Redis(server.port, { ...once, replyMapping: 'resp3' })],
  ])('of version %s is used as it is, and left open', async (_what, make) => {
    const client = make()
    ;(client as Redis).on('error', () => {})
    cleanUp.push(() => client.disconnect())
    const store = await ready({ client, prefix: `io:${opened++}` })
    const ref = subjectRef()
    const record = recordOf(ref, { createdAtMs: store.lifecycle.nowMs(), stamped: true })
    expect(await store.sessions.create(record, createRule, record.createdAtMs)).toMatchObject({ is: 'created' })
    expect(await store.sessions.read(record.id)).toMatchObject({ is: 'live', record: { data: '{"items":[]}' } })
    expect(await store.revocations.read(ref.tag)).toMatchObject({ is: 'known', subject: ref.subject })
    expect(await store.sessions.end(record.id, 'logout', endRule, record.createdAtMs)).toMatchObject({
      ids: [record.id],
      durability: 'fsynced',
    })
    expect(await endedBy(store, record.id)).toBe('logout')
    expect(store.lifecycle.health().warnings).toContainEqual(expect.stringContaining('client was given'))
    await store.lifecycle.close()
    expect(await client.ping()).toBe('PONG')
  })

  it.each<[string, () => Redis | Cluster, string]>([
    [
      'sends again what was not answered',
      () => new Redis({ lazyConnect: true }),
      'autoResendUnfulfilledCommands: false',
    ],
    ['of a cluster does so', () => new Cluster([{ port: 1 }], { lazyConnect: true }), 'retryDelayOnFailover: 0'],
    [
      'of a cluster does so after reconnecting',
      () => new Cluster([{ port: 1 }], { ...clusterOnce, clusterNodeRetryStrategy: () => 1, lazyConnect: true }),
      'redisOptions.autoResendUnfulfilledCommands: false',
    ],
    [
      'reads from replicas',
      () => new Cluster([{ port: 1 }], { ...clusterOnce, scaleReads: 'all', lazyConnect: true }),
      "scaleReads: 'master'",
    ],
    ['is connected to a replica', () => new Redis({ ...once, role: 'slave', lazyConnect: true }), "role: 'master'"],
    [
      'turns numbers into text',
      () => new Redis({ ...once, stringNumbers: true, lazyConnect: true }),
      'stringNumbers: false',
    ],
  ])('that %s is refused, with the setting that helps', (_what, make, setting) => {
    const client = make()
    expect(() => redisStore({ client })).toThrow(
      expect.objectContaining({
        code: 'ERR_CONFIG_INVALID',
        message: expect.stringContaining(`"client" must be made with ${setting}`),
      }),
    )
    client.disconnect()
  })

  it('of a server that is gone is told by the deadline, and goes on when it is back', { timeout: 60_000 }, async () => {
    const own = await startRedis({ appendonly: true, appendfsync: 'always' })
    cleanUp.push(() => own.stop())
    const client = new Redis(own.port, once)
    client.on('error', () => {})
    cleanUp.push(() => client.disconnect())
    const store = await ready({ client, deadline: '0.5s' })
    const record = recordOf(subjectRef(), { createdAtMs: store.lifecycle.nowMs() })
    await store.sessions.create(record, createRule, record.createdAtMs)
    await own.kill('SIGSTOP')
    await expect(store.sessions.read(record.id)).rejects.toMatchObject({ code: 'ERR_STORE_TIMEOUT', store: 'redis' })
    await own.kill('SIGKILL')
    await eventually(
      'it is noticed',
      async () => store.lifecycle.health().up,
      (up) => !up,
    )
    await expect(store.sessions.read(record.id)).rejects.toMatchObject({
      code: 'ERR_STORE_UNAVAILABLE',
      retryable: true,
    })
    await own.restart()
    await eventually(
      'it is back',
      () => store.sessions.read(record.id),
      ({ is }) => is === 'live',
    )
    await eventually(
      'it is checked',
      async () => store.lifecycle.health(),
      ({ up, warnings }) => up && !warnings.join().includes('not been checked'),
    )
  })

  it('of a cluster whose slot moves costs no call its answer', { timeout: 120_000 }, async () => {
    const client = new Cluster([...cluster.urls], clusterOnce)
    client.on('error', () => {})
    cleanUp.push(() => client.disconnect())
    const store = await ready({ client, deadline: '20s' })
    const load = loadOn(store)
    const slot = await cluster.slotOf(`cs:{${load.ref.tag}}:u`)
    for (let round = 0; round < 3; round++) {
      const from = await cluster.ownerOf(slot)
      const move = await cluster.beginMove(slot, cluster.nodes.find((node) => node !== from)!)
      while ((await move.keys(1)) > 0) await new Promise((resolve) => setTimeout(resolve, 5))
      await move.finish()
    }
    expect((await load.stop()).faults).toEqual([])
  })

  it('behind sentinels reads past a fence as well', { timeout: 120_000 }, async () => {
    const group = await startRedisSentinels({ replicas: 1, sentinels: 1, args: ['--min-replicas-to-write', '1'] })
    cleanUp.push(() => group.stop())
    const sentinels = group.sentinels.map(({ port }) => ({ host: '127.0.0.1', port }))
    const client = new Redis({ ...once, sentinels, name: group.name, password: 'data' })
    client.on('error', () => {})
    cleanUp.push(() => client.disconnect())
    const store = await ready({ client, deadline: '0.5s' })
    const record = recordOf(subjectRef(), { createdAtMs: store.lifecycle.nowMs() })
    await store.sessions.create(record, createRule, record.createdAtMs)
    expect(await store.sessions.read(record.id)).toMatchObject({ is: 'live' })
    await group.isolate(group.nodes[0]!)
    await eventually(
      'it stops to answer',
      () =>
        store.sessions.read(record.id).then(
          () => '',
          (error: Error) => error.message,
        ),
      (message) => message.includes('NOREPLICAS'),
      15_000,
    )
  })
})
