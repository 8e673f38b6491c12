import { type OpenedStore, storeSuite } from 'countersign/conformance'
import { type PostgresStoreOptions, postgresStore } from 'countersign/stores/postgres'
import * as runner from 'vitest'
import { count } from '../../../../tools/test-support/counts.ts'
import { type PostgresServer, startPostgres } from '../../../../tools/test-support/postgres-server.ts'
import { differentialSuite } from './differential.ts'

let server: PostgresServer
runner.beforeAll(async () => {
  server = await startPostgres()
})
runner.afterAll(() => server?.stop())

/** Databases of one server: the marker, the floor and the placement fingerprint are per database. */
function suite(name: string, options: Omit<PostgresStoreOptions, 'url'>): void {
  const open = async (): Promise<OpenedStore> => {
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
  }
  storeSuite({ runner, name, rounds: count(50, 1_000), open })
  differentialSuite(name, open)
}

suite('Postgres', {})
suite('Postgres behind a pooler', { prepared: false, schema: 'order', poolSize: 2 })
