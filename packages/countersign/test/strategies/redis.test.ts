import { redisStore } from 'countersign/stores/redis'
import { startRedis } from '../../../../tools/test-support/redis-server.ts'
import { strategySuite } from './suite.ts'

strategySuite(
  'redis',
  async () => {
    const redis = await startRedis()
    return { open: async () => redisStore({ url: redis.url }), stop: () => redis.stop() }
  },
  'tells',
)
