import { postgresStore } from 'countersign/stores/postgres'
import { startPostgres } from '../../../../tools/test-support/postgres-server.ts'
import { feedSuite } from './feed-suite.ts'

feedSuite('Postgres', async () => {
  const server = await startPostgres()
  const url = server.url
  const [reader, writer] = [postgresStore({ url, deadline: '20s' }), postgresStore({ url, deadline: '20s' })]
  return {
    reader,
    writer,
    async dispose() {
      await reader.lifecycle.close()
      await writer.lifecycle.close()
      await server.stop()
    },
  }
})
