// What the tests of the Postgres store share.

import { samples } from 'countersign/conformance'
import type { Store } from 'countersign/stores/contract'
import { type PostgresStoreOptions, postgresStore } from 'countersign/stores/postgres'
import pg from 'pg'
import { onTestFinished } from 'vitest'
import { type PostgresServer, startPostgres } from '../../../../tools/test-support/postgres-server.ts'

const { recordOf, subjectRef } = samples

export const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))
export const outcome = (call: Promise<unknown>) => call.then((value) => ({ value })).catch((error: unknown) => error)
export const recordNow = (store: Store, ref = subjectRef()) => recordOf(ref, { createdAtMs: store.lifecycle.nowMs() })

/** A server for one test. */
export async function ownServer(settings: Readonly<Record<string, string>> = {}): Promise<PostgresServer> {
  const server = await startPostgres({ settings })
  onTestFinished(() => server.stop())
  return server
}

/** A store that is closed when the test has finished. */
export function storeOf(options: PostgresStoreOptions): Store {
  const store = postgresStore(options)
  onTestFinished(() => store.lifecycle.close())
  return store
}

export async function readyStore(options: PostgresStoreOptions): Promise<Store> {
  const store = storeOf(options)
  await store.lifecycle.ready('fingerprint')
  return store
}

/** A connection past the store. */
export async function rawClient(url: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: url })
  client.on('error', () => {})
  await client.connect()
  onTestFinished(() => client.end().catch(() => undefined))
  return client
}

/** Takes the place of a step that does not come to its end: nobody else can write to the subject. */
export async function holdSubject(url: string, tag: string) {
  const client = await rawClient(url)
  await client.query('BEGIN')
  await client.query('SELECT FROM countersign.subjects WHERE tag = $1 FOR UPDATE', [tag])
  return { letGo: () => client.query('ROLLBACK') }
}

/** Connections of the store, as the server sees them. */
export async function backendsOf(server: PostgresServer): Promise<{ pid: number; waits: boolean }[]> {
  const rows = await server.query(
    `SELECT pid, wait_event_type = 'Lock' AS waits FROM pg_stat_activity WHERE application_name = 'countersign'`,
  )
  return rows as { pid: number; waits: boolean }[]
}

/** For what must come about by itself, on a machine that does other things too. */
const PATIENCE_MS = 60_000
export async function until(what: () => Promise<boolean> | boolean): Promise<void> {
  const started = Date.now()
  while (!(await what())) {
    if (Date.now() - started > PATIENCE_MS) throw new Error(`not within ${PATIENCE_MS} ms`)
    await sleep(20)
  }
}
