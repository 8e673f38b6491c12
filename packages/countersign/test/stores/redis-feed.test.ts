import { redisStore } from 'countersign/stores/redis'
import { startRedis } from '../../../../tools/test-support/redis-server.ts'
import { feedSuite } from './feed-suite.ts'

feedSuite('Redis', async () => {
  const server = await startRedis()
  const [reader, writer] = [redisStore({ url: server.url }), redisStore({ url: server.url })]
  return {
    reader,
    writer,
    async dispose() {
      await reader.lifecycle.close()
      await writer.lifecycle.close()
      await server.stop()
    },
  }
})
