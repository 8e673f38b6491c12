import { startRedis } from '../../../../tools/test-support/redis-server.ts'
import { raceSuite } from './suite.ts'

raceSuite('redis', async () => {
  const redis = await startRedis()
  return { store: { kind: 'redis', url: redis.url }, stop: () => redis.stop() }
})
