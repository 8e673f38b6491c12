import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { sqliteStore } from 'countersign/stores/sqlite'
import { accountsSuite } from './suite.ts'

accountsSuite('sqlite', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'countersign-'))
  const file = join(dir, 'sessions.db')
  return { open: async () => sqliteStore({ file }), stop: () => rm(dir, { recursive: true }) }
})
