import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { strategySuite } from 'countersign/conformance'
import { sqliteStore } from 'countersign/stores/sqlite'
import * as runner from 'vitest'

strategySuite({
  runner,
  name: 'sqlite',
  async open() {
    const dir = await mkdtemp(join(tmpdir(), 'countersign-'))
    const file = join(dir, 'sessions.db')
    const store = sqliteStore({ file })
    return {
      store,
      another: async () => sqliteStore({ file }),
      async dispose() {
        await store.lifecycle.close()
        await rm(dir, { recursive: true })
      },
    }
  },
})
