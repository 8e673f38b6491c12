import { redisStore } from 'countersign/stores/redis'
import { afterAll, beforeAll } from 'vitest'
import { type RedisCluster, startRedisCluster } from '../../../../tools/test-support/redis-cluster.ts'
import { storeSuite } from './suite.ts'

let cluster: RedisCluster
beforeAll(async () => {
  cluster = await startRedisCluster({ appendonly: true, appendfsync: 'always' })
}, 120_000)
afterAll(() => cluster?.stop())

let opened = 0

storeSuite('Redis Cluster', {
  // A cluster has one database, so every store has keys of its own.
  async open() {
    const options = { nodes: cluster.urls, prefix: `suite:${opened++}` }
    let store = redisStore(options)
    return {
      store,
      async reopen() {
        await store.lifecycle.close()
        store = redisStore(options)
        return store
      },
      dispose: () => store.lifecycle.close(),
    }
  },
})
