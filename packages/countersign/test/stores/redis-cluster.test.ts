import { type OpenedStore, storeSuite } from 'countersign/conformance'
import { redisStore } from 'countersign/stores/redis'
import * as runner from 'vitest'
import { count } from '../../../../tools/test-support/counts.ts'
import { type RedisCluster, startRedisCluster } from '../../../../tools/test-support/redis-cluster.ts'
import { differentialSuite } from './differential.ts'

let cluster: RedisCluster
runner.beforeAll(async () => {
  cluster = await startRedisCluster({ appendonly: true, appendfsync: 'always' })
}, 120_000)
runner.afterAll(() => cluster?.stop())

let opened = 0

// A cluster has one database, so every store has keys of its own.
async function open(): Promise<OpenedStore> {
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
}

storeSuite({ runner, name: 'Redis Cluster', rounds: count(50, 1_000), open })
differentialSuite('Redis Cluster', open)
