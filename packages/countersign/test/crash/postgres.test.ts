// A crash of the server under load: every acknowledged write is there after the restart, although the server itself would
// not wait for the disk. The same without the store's own demand loses some, which shows that this test can fail.

import { generateKeyring } from 'countersign'
import { samples } from 'countersign/conformance'
import type { Store } from 'countersign/stores/contract'
import { expect, onTestFinished, test } from 'vitest'
import { count } from '../../../../tools/test-support/counts.ts'
import type { History } from '../../../../tools/test-support/crash/history.ts'
import { type PostgresServer, startPostgres } from '../../../../tools/test-support/postgres-server.ts'
import { Random } from '../../../../tools/test-support/random.ts'
import { openLibrary } from './library.ts'
import { crashServer, expectAll, lossesIn, type Run } from './rounds.ts'
import { everyStep } from './steps.ts'

const { createRule, GRACE, recordOf, subjectRef } = samples

const TIMEOUT_MS = count(180_000, 3_600_000)

/** What was acknowledged, and must hold from then on. */
type Promised = (store: Store) => Promise<boolean>

/** Log pages stay in memory until somebody waits for the disk. */
const SLOW_LOG = { synchronous_commit: 'off', wal_writer_delay: '10s', wal_writer_flush_after: '1GB' }

async function onPostgres(): Promise<Run & { server: PostgresServer }> {
  const server = await startPostgres({ settings: SLOW_LOG })
  onTestFinished(() => server.stop())
  return { server, place: { kind: 'postgres', url: server.url }, keyring: generateKeyring(), random: new Random() }
}

/** The writes that the load does not make, one after the other, until the server is gone. */
async function writeOn({ sessions, accounts, revocations, lifecycle }: Store, promised: Promised[]): Promise<void> {
  for (;;) {
    const ref = subjectRef()
    const now = lifecycle.nowMs()
    const record = recordOf(ref, { createdAtMs: now, stamped: true })
    await sessions.create(record, createRule, now)
    await revocations.deny(ref, 'jti', now + GRACE, now)
    promised.push(async (after) => {
      const kept = await after.revocations.read(ref.tag)
      return kept.is === 'known' && kept.jtis.has('jti')
    })
    const { epoch } = await sessions.endSubject(ref, 'banned', { block: true }, now)
    promised.push(async (after) => {
      const gate = await after.sessions.subject(ref, now)
      return gate.blocked && gate.epoch === epoch && (await after.sessions.read(record.id)).is === 'ended'
    })
    const account = {
      ...ref,
      identifier: ref.subject,
      version: 1,
      passwordHash: 'phc',
      passwordChangedAtMs: now,
      roles: [],
      blocked: null,
      createdAtMs: now,
      unsettled: null,
    }
    await accounts.create(account)
    await accounts.replace({ ...account, version: 2, blocked: 'spam' }, 1)
    promised.push(async (after) => (await after.accounts.bySubject(ref))?.blocked === 'spam')
  }
}

/** Crashes the server under load and starts it again. */
async function crash(run: Run & { server: PostgresServer }, signal: 'SIGQUIT' | 'SIGKILL') {
  const writer = await openLibrary(run.place, run.keyring)
  const promised: Promised[] = []
  const end = writeOn(writer.store, promised).catch((error: { code: string }) => error.code)
  const history = await crashServer(() => run.server.kill(signal), run)
  expect(['ERR_STORE_UNAVAILABLE', 'ERR_STORE_TIMEOUT']).toContain(await end)
  await writer.close()
  await run.server.restart()
  return { history, promised }
}

/** How many of them do not hold. */
async function broken(promised: readonly Promised[], run: Run): Promise<number> {
  const { store, close } = await openLibrary(run.place, run.keyring)
  const kept = await Promise.all(promised.map((holds) => holds(store)))
  await close()
  return kept.filter((holds) => !holds).length
}

test('a crash loses nothing that was acknowledged, also where synchronous_commit is off', {
  timeout: TIMEOUT_MS,
}, async () => {
  const run = await onPostgres()
  const histories: History[] = []
  for (let round = 0; round < count(6, 200); round++) {
    const { history, promised } = await crash(run, round % 2 === 0 ? 'SIGQUIT' : 'SIGKILL')
    expect(promised.length).toBeGreaterThan(0)
    expect(await broken(promised, run)).toBe(0)
    expect(await lossesIn([history], run)).toEqual([])
    histories.push(history)
  }
  await expectAll(histories, run)
})

test('every step but a touch has waited for the disk when it is acknowledged', async () => {
  const run = await onPostgres()
  const { store, close } = await openLibrary(run.place, run.keyring)
  onTestFinished(close)
  /** Whether the log on the disk has grown. Nobody else writes, and the server itself only every 10 s. */
  const waits = async (step: () => Promise<unknown>) => {
    const flushed = async () => (await run.server.query('SELECT pg_current_wal_flush_lsn()::text AS lsn'))[0]!.lsn
    const before = await flushed()
    await step()
    return (await flushed()) !== before
  }
  const later = new Set<string>()
  for (const [name, step] of everyStep(store)) if (!(await waits(step))) later.add(name)
  later.delete('touch')
  expect([...later]).toEqual([])

  const record = recordOf(subjectRef())
  await store.sessions.create(record, createRule, record.createdAtMs)
  let isTouchLater = false
  for (let tries = 1; tries <= 20 && !isTouchLater; tries++) {
    const idleAtMs = record.idleAtMs + tries
    isTouchLater = !(await waits(() => store.sessions.touch(record.id, { idleAtMs }, record.createdAtMs)))
  }
  expect(isTouchLater).toBe(true)
})

test('a store that does not ask for the disk is found out', { timeout: TIMEOUT_MS }, async () => {
  const run = await onPostgres()
  const { close } = await openLibrary(run.place, run.keyring)
  await close()
  await run.server.query(
    `CREATE OR REPLACE FUNCTION countersign.must_last() RETURNS void LANGUAGE plpgsql AS 'BEGIN END'`,
  )
  // Nothing is lost when the buffers of the log happen to have been full, and written, just before.
  let lost = 0
  for (let tries = 0; tries < 10 && lost === 0; tries++) {
    const { history } = await crash(run, 'SIGQUIT')
    lost = (await lossesIn([history], run)).length
  }
  expect(lost).toBeGreaterThan(0)
})
