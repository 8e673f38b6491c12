import { startRedisCluster } from '../../../../tools/test-support/redis-cluster.ts'
import { raceSuite } from './suite.ts'

raceSuite(
  'a redis cluster',
  async () => {
    const cluster = await startRedisCluster()
    return { store: { kind: 'redis-cluster', nodes: cluster.urls.slice(0, 3) }, stop: () => cluster.stop() }
  },
  true,
)
