import { postgresStore } from 'countersign/stores/postgres'
import { afterAll, beforeAll } from 'vitest'
import { type PostgresServer, startPostgres } from '../../../../tools/test-support/postgres-server.ts'
import { storeSuite } from './suite.ts'

let server: PostgresServer
beforeAll(async () => {
  server = await startPostgres()
})
afterAll(() => server?.stop())

storeSuite('Postgres', {
  // Databases of one server: the marker, the floor and the placement fingerprint are per database.
  async open() {
    const url = await server.createDatabase()
    let store = postgresStore({ url })
    return {
      store,
      async reopen() {
        await store.lifecycle.close()
        store = postgresStore({ url })
        return store
      },
      dispose: () => store.lifecycle.close(),
    }
  },
})
