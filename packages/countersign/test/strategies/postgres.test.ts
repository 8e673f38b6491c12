import { postgresStore } from 'countersign/stores/postgres'
import { startPostgres } from '../../../../tools/test-support/postgres-server.ts'
import { strategySuite } from './suite.ts'

strategySuite('postgres', async () => {
  const server = await startPostgres()
  // On one connection a read comes after the touch before it, as the suite expects of a store.
  const open = async () => postgresStore({ url: server.url, poolSize: 1, deadline: '20s' })
  return { open, stop: () => server.stop() }
})
