// A crash of the server under load: every acknowledged write is there after the restart, although the server itself would
// not wait for the disk. The same without the store's own demand loses some, which shows that this test can fail.

import { samples } from 'countersign/conformance'
import type { Store } from 'countersign/stores/contract'
import { postgresStore } from 'countersign/stores/postgres'
import { describe, expect, onTestFinished, test } from 'vitest'
import { count } from '../../../../tools/test-support/counts.ts'
import { type PostgresServer, startPostgres } from '../../../../tools/test-support/postgres-server.ts'

const { createRule, endRule, GRACE, presented, recordOf, rotationRule, subjectRef, successorOf } = samples

/** What was acknowledged, and must hold from then on. */
type Promised = (store: Store) => Promise<boolean>

/** Log pages stay in memory until somebody waits for the disk. */
const SLOW_LOG = { synchronous_commit: 'off', wal_writer_delay: '10s', wal_writer_flush_after: '1GB' }

async function openStore(server: PostgresServer): Promise<Store> {
  const store = postgresStore({ url: server.url, deadline: '10s' })
  onTestFinished(() => store.lifecycle.close())
  await store.lifecycle.ready('crash')
  return store
}

/** Writes of every kind, one after the other, until the server is gone. */
async function worker(store: Store, promised: Promised[]): Promise<void> {
  const { sessions, accounts, revocations, lifecycle } = store
  for (let round = 0; ; round++) {
    const ref = subjectRef()
    const now = lifecycle.nowMs()
    const record = recordOf(ref, { createdAtMs: now, stamped: true })
    await sessions.create(record, createRule, now)
    promised.push(async (after) => (await after.sessions.read(record.id)).is !== 'unknown')
    await sessions.update(record.id, { data: `"${round}"` }, 1, now)
    promised.push(async (after) => {
      const found = await after.sessions.read(record.id)
      return found.is === 'ended' || (found.is === 'live' && found.record.version === 2)
    })
    const later = now + GRACE
    const rotated = await sessions.rotate(record.id, presented(0), successorOf(0), rotationRule, later)
    expect(rotated).toMatchObject({ is: 'rotated', durability: 'fsynced' })
    promised.push(async (after) => {
      const found = await after.sessions.read(record.id)
      return found.is === 'ended' || (found.is === 'live' && found.record.generation === 1)
    })
    await revocations.deny(ref, 'jti', later + GRACE, later)
    promised.push(async (after) => {
      const kept = await after.revocations.read(ref.tag)
      return kept.is === 'known' && kept.jtis.has('jti')
    })
    if (round % 2 === 0) {
      await sessions.end(record.id, 'logout', { ...endRule, unknownUntilMs: later + GRACE }, later)
      promised.push(async (after) => (await after.sessions.read(record.id)).is === 'ended')
    } else {
      const { epoch } = await sessions.endSubject(ref, 'banned', { block: true }, later)
      promised.push(async (after) => {
        const gate = await after.sessions.subject(ref, later)
        return gate.blocked && gate.epoch === epoch && (await after.sessions.read(record.id)).is === 'ended'
      })
    }
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

/** How many of the writes acknowledged before the crash are there after it. */
async function crashUnderLoad(server: PostgresServer, store: Store, signal: 'SIGQUIT' | 'SIGKILL', ms: number) {
  const promised: Promised[] = []
  const workers = Array.from({ length: 8 }, () => worker(store, promised))
  const ends = Promise.allSettled(workers)
  await new Promise((resolve) => setTimeout(resolve, ms))
  await server.kill(signal)
  for (const end of await ends) {
    const codes = ['ERR_STORE_UNAVAILABLE', 'ERR_STORE_TIMEOUT']
    expect(codes).toContain(((end as PromiseRejectedResult).reason as { code: string }).code)
  }
  await server.restart()
  const after = await openStore(server)
  const kept = await Promise.all(promised.map((holds) => holds(after)))
  return { acknowledged: kept.length, lost: kept.filter((holds) => !holds).length }
}

describe('a crash of the server under load', () => {
  test('loses nothing that was acknowledged, also where synchronous_commit is off', async () => {
    const server = await startPostgres({ settings: SLOW_LOG })
    onTestFinished(() => server.stop())
    let acknowledged = 0
    for (let round = 0; round < count(4, 200); round++) {
      const store = await openStore(server)
      const signal = round % 2 === 0 ? 'SIGQUIT' : 'SIGKILL'
      const result = await crashUnderLoad(server, store, signal, 150 + ((round * 97) % 300))
      expect(result.lost).toBe(0)
      acknowledged += result.acknowledged
    }
    expect(acknowledged).toBeGreaterThan(100)
  })

  test('and without the demand for the disk it does lose some', async () => {
    const server = await startPostgres({ settings: SLOW_LOG })
    onTestFinished(() => server.stop())
    const store = await openStore(server)
    await server.query(
      `CREATE OR REPLACE FUNCTION countersign.must_last() RETURNS void LANGUAGE plpgsql AS 'BEGIN END'`,
    )
    const { acknowledged, lost } = await crashUnderLoad(server, store, 'SIGQUIT', 400)
    expect(acknowledged).toBeGreaterThan(0)
    expect(lost).toBeGreaterThan(0)
  })
})
