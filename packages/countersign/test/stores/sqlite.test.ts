import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type OpenedStore, storeSuite } from 'countersign/conformance'
import { sqliteStore } from 'countersign/stores/sqlite'
import * as runner from 'vitest'
import { count } from '../../../../tools/test-support/counts.ts'
import { differentialSuite } from './differential.ts'

async function open(): Promise<OpenedStore> {
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
}

storeSuite({ runner, name: 'SQLite', rounds: count(50, 1_000), open })
differentialSuite('SQLite', open)
