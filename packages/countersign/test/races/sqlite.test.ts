import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { raceSuite } from './suite.ts'

raceSuite('sqlite', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'countersign-races-'))
  return { store: { kind: 'sqlite', file: join(dir, 'sessions.db') }, stop: () => rm(dir, { recursive: true }) }
})
