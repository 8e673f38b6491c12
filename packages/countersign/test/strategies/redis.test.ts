import { strategySuite } from 'countersign/conformance'
import { redisStore } from 'countersign/stores/redis'
import * as runner from 'vitest'
import { startRedis } from '../../../../tools/test-support/redis-server.ts'

strategySuite({
  runner,
  name: 'redis',
  async open() {
    const { url, stop } = await startRedis()
    const store = redisStore({ url, deadline: '20s' })
    return {
      store,
      another: async () => redisStore({ url, deadline: '20s' }),
      async dispose() {
        await store.lifecycle.close()
        await stop()
      },
    }
  },
})
