import { redisStore } from 'countersign/stores/redis'
import { afterAll, beforeAll } from 'vitest'
import { type RedisServer, startRedis } from '../../../../tools/test-support/redis-server.ts'
import { storeSuite } from './suite.ts'

let server: RedisServer
beforeAll(async () => {
  server = await startRedis({ appendonly: true, appendfsync: 'always' })
})
afterAll(() => server?.stop())

let database = 0

storeSuite('Redis', {
  // Databases of one server: the marker, the floor and the placement fingerprint are per database.
  async open() {
    const url = `${server.url}/${database++}`
    let store = redisStore({ url, deadline: '20s' })
    return {
      store,
      async reopen() {
        await store.lifecycle.close()
        store = redisStore({ url, deadline: '20s' })
        return store
      },
      dispose: () => store.lifecycle.close(),
    }
  },
})
