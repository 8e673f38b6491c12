import { strategySuite } from 'countersign/conformance'
import { redisStore } from 'countersign/stores/redis'
import * as runner from 'vitest'
import { startRedisCluster } from '../../../../tools/test-support/redis-cluster.ts'
import { startRedisSentinels } from '../../../../tools/test-support/redis-sentinel.ts'

strategySuite({
  runner,
  name: 'redis cluster',
  async open() {
    const cluster = await startRedisCluster()
    const open = () => redisStore({ nodes: cluster.urls, deadline: '20s' })
    const store = open()
    return {
      store,
      another: async () => open(),
      async dispose() {
        await store.lifecycle.close()
        await cluster.stop()
      },
    }
  },
})

strategySuite({
  runner,
  name: 'redis sentinel',
  async open() {
    const group = await startRedisSentinels({ args: ['--min-replicas-to-write', '1'] })
    const sentinels = { name: group.name, nodes: group.sentinels.map(({ url }) => url), password: 'data' }
    const open = () => redisStore({ sentinels, deadline: '20s' })
    const store = open()
    return {
      store,
      another: async () => open(),
      async dispose() {
        await store.lifecycle.close()
        await group.stop()
      },
    }
  },
})
