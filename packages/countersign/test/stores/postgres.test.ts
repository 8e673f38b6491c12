import { type PostgresStoreOptions, postgresStore } from 'countersign/stores/postgres'
import { afterAll, beforeAll } from 'vitest'
import { type PostgresServer, startPostgres } from '../../../../tools/test-support/postgres-server.ts'
import { storeSuite } from './suite.ts'

let server: PostgresServer
beforeAll(async () => {
  server = await startPostgres()
})
afterAll(() => server?.stop())

/** Databases of one server: the marker, the floor and the placement fingerprint are per database. */
function suite(name: string, options: Omit<PostgresStoreOptions, 'url'>): void {
  storeSuite(name, {
    async open() {
      const url = await server.createDatabase()
      // Hundreds of calls at once for one subject, on a machine that does other things too.
      const all = { url, deadline: '20s', ...options } as const
      let store = postgresStore(all)
      return {
        store,
        async reopen() {
          await store.lifecycle.close()
          store = postgresStore(all)
          return store
        },
        dispose: () => store.lifecycle.close(),
      }
    },
  })
}

suite('Postgres', {})
suite('Postgres behind a pooler', { prepared: false, schema: 'order', poolSize: 2 })
