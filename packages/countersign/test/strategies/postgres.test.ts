import { strategySuite } from 'countersign/conformance'
import { postgresStore } from 'countersign/stores/postgres'
import * as runner from 'vitest'
import { startPostgres } from '../../../../tools/test-support/postgres-server.ts'

strategySuite({
  runner,
  name: 'postgres',
  async open() {
    const { url, stop } = await startPostgres()
    const store = postgresStore({ url, poolSize: 1, deadline: '20s' })
    return {
      store,
      another: async () => postgresStore({ url, poolSize: 1, deadline: '20s' }),
      async dispose() {
        await store.lifecycle.close()
        await stop()
      },
    }
  },
})
