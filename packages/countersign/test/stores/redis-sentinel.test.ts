import { redisStore } from 'countersign/stores/redis'
import { afterAll, beforeAll } from 'vitest'
import { type RedisSentinels, startRedisSentinels } from '../../../../tools/test-support/redis-sentinel.ts'
import { storeSuite } from './suite.ts'

let group: RedisSentinels
beforeAll(async () => {
  const args = ['--min-replicas-to-write', '1']
  group = await startRedisSentinels({ appendonly: true, appendfsync: 'always', args, sentinelPassword: 'watch' })
}, 120_000)
afterAll(() => group?.stop())

let database = 0

storeSuite('Redis Sentinel', {
  async open() {
    const nodes = group.sentinels.map(({ url }) => url)
    const options = { sentinels: { name: group.name, nodes, password: 'data', database: database++ } }
    let store = redisStore(options)
    return {
      store,
      async reopen() {
        await store.lifecycle.close()
        store = redisStore(options)
        return store
      },
      dispose: () => store.lifecycle.close(),
    }
  },
})
