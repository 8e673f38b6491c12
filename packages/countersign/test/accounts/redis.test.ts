import { redisStore } from 'countersign/stores/redis'
import { startRedis } from '../../../../tools/test-support/redis-server.ts'
import { accountsSuite } from './suite.ts'

accountsSuite('redis', async () => {
  const redis = await startRedis()
  return { open: async () => redisStore({ url: redis.url, deadline: '20s' }), stop: () => redis.stop() }
})
