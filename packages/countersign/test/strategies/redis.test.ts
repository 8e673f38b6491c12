import { strategySuite } from 'countersign/conformance'
import { redisStore } from 'countersign/stores/redis'
import * as runner from 'vitest'
import { startRedis } from '../../../../tools/test-support/redis-server.ts'

strategySuite({
  runner,
  name: 'redis',
  async open() {
    const { url, stop } = await startRedis()
    const store = redisStore({ url })
    return {
      store,
      another: async () => redisStore({ url }),
      async dispose() {
        await store.lifecycle.close()
        await stop()
      },
    }
  },
})
