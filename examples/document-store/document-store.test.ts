import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from '@photostructure/sqlite'
import { type OpenedStore, samples, storeSuite, strategySuite } from 'countersign/conformance'
import * as runner from 'vitest'
import { documentStore } from './document-store.ts'

async function open(): Promise<OpenedStore> {
  const folder = await mkdtemp(join(tmpdir(), 'document-store-'))
  const file = join(folder, 'sessions.db')
  let store = documentStore({ file })
  return {
    store,
    async reopen() {
      await store.lifecycle.close()
      store = documentStore({ file })
      return store
    },
    another: async () => documentStore({ file }),
    async dispose() {
      await store.lifecycle.close()
      await rm(folder, { recursive: true })
    },
  }
}

const parts = ['sessions', 'revocations', 'lifecycle'] as const
storeSuite({ runner, name: 'document', open, parts })
strategySuite({ runner, name: 'document', open, parts })

// What the suites cannot know of: how this store breaks.
runner.describe('a document store whose file is in a bad way', () => {
  const { createRule, endedBy, endRule, recordOf, subjectRef, T } = samples
  const spoilt = async (
    run: (file: InstanceType<typeof DatabaseSync>, store: ReturnType<typeof documentStore>) => Promise<void>,
  ) => {
    const folder = await mkdtemp(join(tmpdir(), 'document-store-'))
    const file = join(folder, 'sessions.db')
    const store = documentStore({ file })
    await store.lifecycle.ready('placement')
    const raw = new DatabaseSync(file)
    try {
      await run(raw, store)
    } finally {
      raw.close()
      await store.lifecycle.close()
      await rm(folder, { recursive: true })
    }
  }

  runner.test('damaged: nobody is let in, logging out works, and a block stays', () =>
    spoilt(async (raw, store) => {
      const { sessions } = store
      const ref = subjectRef()
      const record = recordOf(ref)
      await sessions.create(record, createRule, T)
      await sessions.endSubject(ref, 'banned', { block: true, except: record.id }, T)
      raw.exec("UPDATE subjects SET document = 'x'")
      const corrupt = { code: 'ERR_STORE_CORRUPT' }
      await runner.expect(sessions.read(record.id)).rejects.toMatchObject(corrupt)
      await runner.expect(sessions.create(recordOf(ref), createRule, T)).rejects.toMatchObject(corrupt)
      await sessions.end(record.id, 'logout', endRule, T + 1)
      runner.expect(await endedBy(store, record.id)).toBe('logout')
      runner.expect(await sessions.subject(ref, T + 1)).toMatchObject({ blocked: true, live: 0 })
    }),
  )

  runner.test('locked by another process: a fault that says so, and later the same call works', () =>
    spoilt(async (raw, { sessions }) => {
      const record = recordOf(subjectRef())
      raw.exec('BEGIN IMMEDIATE')
      const locked = { code: 'ERR_STORE_TIMEOUT', retryable: true }
      await runner.expect(sessions.create(record, createRule, T)).rejects.toMatchObject(locked)
      raw.exec('ROLLBACK')
      runner.expect(await sessions.create(record, createRule, T)).toMatchObject({ is: 'created' })
    }),
  )

  runner.test('without its tables: a fault, and no message of the database', () =>
    spoilt(async (raw, { sessions }) => {
      raw.exec('DROP TABLE subjects')
      const failed = { code: 'ERR_STORE_UNAVAILABLE', message: 'the database failed', store: 'document' }
      await runner.expect(sessions.read(recordOf(subjectRef()).id)).rejects.toMatchObject(failed)
    }),
  )
})
