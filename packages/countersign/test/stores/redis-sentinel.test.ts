import { type OpenedStore, storeSuite } from 'countersign/conformance'
import { redisStore } from 'countersign/stores/redis'
import * as runner from 'vitest'
import { count } from '../../../../tools/test-support/counts.ts'
import { type RedisSentinels, startRedisSentinels } from '../../../../tools/test-support/redis-sentinel.ts'
import { differentialSuite } from './differential.ts'

let group: RedisSentinels
runner.beforeAll(async () => {
  const args = ['--min-replicas-to-write', '1']
  group = await startRedisSentinels({ appendonly: true, appendfsync: 'always', args, sentinelPassword: 'watch' })
}, 120_000)
runner.afterAll(() => group?.stop())

let database = 0

async function open(): Promise<OpenedStore> {
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
}

storeSuite({ runner, name: 'Redis Sentinel', rounds: count(50, 1_000), open })
differentialSuite('Redis Sentinel', open)
