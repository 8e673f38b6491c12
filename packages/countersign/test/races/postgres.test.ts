import { startPostgres } from '../../../../tools/test-support/postgres-server.ts'
import { raceSuite } from './suite.ts'

raceSuite('postgres', async () => {
  const server = await startPostgres()
  return { store: { kind: 'postgres', url: server.url }, stop: () => server.stop() }
})
