import { redisStore } from 'countersign/stores/redis'
import { startRedisCluster } from '../../../../tools/test-support/redis-cluster.ts'
import { startRedisSentinels } from '../../../../tools/test-support/redis-sentinel.ts'
import { strategySuite } from './suite.ts'

strategySuite('redis cluster', async () => {
  const cluster = await startRedisCluster()
  return { open: async () => redisStore({ nodes: cluster.urls }), stop: () => cluster.stop() }
})

strategySuite('redis sentinel', async () => {
  const group = await startRedisSentinels({ args: ['--min-replicas-to-write', '1'] })
  const sentinels = { name: group.name, nodes: group.sentinels.map(({ url }) => url), password: 'data' }
  return { open: async () => redisStore({ sentinels }), stop: () => group.stop() }
})
