import { postgresStore } from 'countersign/stores/postgres'
import { startPostgres } from '../../../../tools/test-support/postgres-server.ts'
import { accountsSuite } from './suite.ts'

accountsSuite('postgres', async () => {
  const server = await startPostgres()
  return { open: async () => postgresStore({ url: server.url, deadline: '20s' }), stop: () => server.stop() }
})
