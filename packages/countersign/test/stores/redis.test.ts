import { type OpenedStore, storeSuite } from 'countersign/conformance'
import { redisStore } from 'countersign/stores/redis'
import * as runner from 'vitest'
import { count } from '../../../../tools/test-support/counts.ts'
import { type RedisServer, startRedis } from '../../../../tools/test-support/redis-server.ts'
import { differentialSuite } from './differential.ts'

let server: RedisServer
runner.beforeAll(async () => {
  server = await startRedis({ appendonly: true, appendfsync: 'always' })
})
runner.afterAll(() => server?.stop())

let database = 0

/** Databases of one server: the marker, the floor and the placement fingerprint are per database. */
async function open(): Promise<OpenedStore> {
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
}

storeSuite({ runner, name: 'Redis', rounds: count(50, 1_000), open })
differentialSuite('Redis', open)
