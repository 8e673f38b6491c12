import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { sqliteStore } from 'countersign/stores/sqlite'
import { feedSuite } from '../feed-suite.ts'

function freshFolder() {
  const folder = mkdtempSync(join(tmpdir(), 'countersign-sqlite-'))
  return { file: join(folder, 'sessions.db'), remove: () => rmSync(folder, { recursive: true, force: true }) }
}

feedSuite('SQLite, written to by another connection', async () => {
  const { file, remove } = freshFolder()
  const [reader, writer] = [sqliteStore({ file }), sqliteStore({ file })]
  return {
    reader,
    writer,
    async dispose() {
      await reader.lifecycle.close()
      await writer.lifecycle.close()
      remove()
    },
  }
})

feedSuite('SQLite, written to over its own connection', async () => {
  const { file, remove } = freshFolder()
  const store = sqliteStore({ file })
  return {
    reader: store,
    writer: store,
    async dispose() {
      await store.lifecycle.close()
      remove()
    },
  }
})
