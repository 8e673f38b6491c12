import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { sqliteStore } from 'countersign/stores/sqlite'
import { storeSuite } from './suite.ts'

storeSuite('SQLite', {
  async open() {
    const folder = mkdtempSync(join(tmpdir(), 'countersign-sqlite-'))
    const file = join(folder, 'sessions.db')
    let store = sqliteStore({ file })
    return {
      store,
      async reopen() {
        await store.lifecycle.close()
        store = sqliteStore({ file })
        return store
      },
      async dispose() {
        await store.lifecycle.close()
        rmSync(folder, { recursive: true, force: true })
      },
    }
  },
})
