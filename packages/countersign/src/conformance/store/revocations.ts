import { match, ok } from 'node:assert/strict'
import type { SubjectRef } from '../../session/ids.ts'
import type { Revocations } from '../../stores/contract.ts'
import { equals, matches } from '../checks.ts'
import type { Bench } from './bench.ts'
import {
  ACCESS,
  created,
  createRule,
  DAY,
  endRule,
  HOUR,
  LEEWAY,
  MINUTE,
  recordOf,
  refresh,
  replaceRule,
  sessionId,
  subjectRef,
  T,
} from './samples.ts'

/** The revocation record that stamped sessions write. */
export function revocationCases({ store, test }: Bench): void {
  const { sessions, revocations } = store
  const stamped = { stamped: true, idleAtMs: T + DAY }
  const known = async (ref: SubjectRef): Promise<Revocations> => {
    const found = await revocations.read(ref.tag)
    if (found.is !== 'known') throw new Error('expected a revocation record')
    return found
  }
  const stampOf = (done: object) => (done as { stamp: number }).stamp

  test('revocations: a subject without a record has lost it', async () => {
    equals(await revocations.read(subjectRef().tag), { is: 'lost' })
    const ref = subjectRef()
    const plain = await created(store, ref, { stamped: false })
    await sessions.setRoles(ref, [], T + 1)
    await sessions.end(plain.id, 'logout', endRule, T + 2)
    await sessions.endSubject(ref, 'logout', {}, T + 3)
    equals(await revocations.read(ref.tag), { is: 'lost' })
  })

  test('revocations: creating a stamped session starts the record, and its stamp passes', async () => {
    const ref = subjectRef(undefined, 'acme')
    const record = recordOf(ref, stamped)
    const done = await sessions.create(record, createRule, T)
    const found = await known(ref)
    matches(found, { subject: ref.subject, tenant: 'acme', sids: new Map(), jtis: new Set() })
    ok(stampOf(done) > found.notBefore)
  })

  test('revocations: a record that begins refuses what was issued before it', async () => {
    // The record was lost under tokens that still run; a new login must not make the ended ones among them good again.
    const ref = subjectRef()
    await created(store, ref, { ...stamped, createdAtMs: T })
    equals((await known(ref)).notBefore, T - 1)
    const other = subjectRef()
    await revocations.deny(other, 'jti-1', T + HOUR, T)
    equals((await known(other)).notBefore, T - 1)
  })

  test('revocations: everything at or below notBefore is refused, everything later passes', async () => {
    const ref = subjectRef()
    const kept = recordOf(ref, stamped)
    const first = stampOf(await sessions.create(kept, createRule, T + 5))
    await sessions.endSubject(ref, 'password_changed', { except: kept.id }, T + 5)
    const { notBefore } = await known(ref)
    ok(first <= notBefore)
    // In the same millisecond, and with a clock that went back, new stamps lie above it.
    for (const nowMs of [T + 5, T]) {
      ok(stampOf(await sessions.create(recordOf(ref, stamped), createRule, nowMs)) > notBefore)
    }
    ok(stampOf(await refresh(store, kept.id, 0, T + HOUR)) > notBefore)
    ok(stampOf(await sessions.replace(kept.id, recordOf(ref, stamped), replaceRule, T + HOUR)) > notBefore)
  })

  test('revocations: notBefore covers a stamp from a clock that was ahead', async () => {
    const ref = subjectRef()
    const ahead = stampOf(await sessions.create(recordOf(ref, stamped), createRule, T + MINUTE))
    await sessions.endSubject(ref, 'logout', {}, T)
    ok((await known(ref)).notBefore >= ahead)
    const before = (await known(ref)).notBefore
    await sessions.endSubject(ref, 'logout', {}, T)
    ok((await known(ref)).notBefore > before)
  })

  test('revocations: the stamps of rotation, repeat and replay count as well', async () => {
    const ref = subjectRef()
    const { id } = await created(store, ref, stamped)
    for (const [generation, nowMs, is] of [
      [0, T + 1, 'current'],
      [0, T + HOUR, 'rotated'],
      [0, T + 2 * HOUR, 'replayed'],
    ] as const) {
      const done = await refresh(store, id, generation, nowMs)
      equals(done.is, is)
      await sessions.setRoles(ref, nowMs === T + HOUR ? ['user'] : ['user', 'admin'], nowMs - MINUTE)
      ok((await known(ref)).notBefore >= stampOf(done))
    }
  })

  test('revocations: an ended session is named with its reason', async () => {
    const ref = subjectRef()
    const [a, b] = [await created(store, ref, stamped), await created(store, ref, stamped)]
    await sessions.end(a.id, 'logout', { ...endRule, stamped: true }, T + 1)
    equals((await known(ref)).sids, new Map([[a.id, 'logout']]))
    await sessions.endSubject(ref, 'banned', {}, T + 2)
    equals(
      (await known(ref)).sids,
      new Map([
        [a.id, 'logout'],
        [b.id, 'banned'],
      ]),
    )
  })

  test('revocations: reuse, rollback, limit and replacement name the session too', async () => {
    const ref = subjectRef()
    const reused = await created(store, ref, stamped)
    await refresh(store, reused.id, 0, T + MINUTE)
    await refresh(store, reused.id, 0, T + MINUTE, { replay: 'never' })
    const rolled = await created(store, ref, stamped)
    await refresh(store, rolled.id, 7, T + MINUTE)
    const old = await created(store, ref, stamped)
    const next = recordOf(ref, stamped)
    await sessions.replace(old.id, next, replaceRule, T + MINUTE)
    await created(store, ref, { ...stamped, createdAtMs: T + MINUTE }, { limit: { max: 1, overflow: 'evict_oldest' } })
    const expected = new Map([
      [reused.id, 'reused'],
      [rolled.id, 'rolled_back'],
      [old.id, 'replaced'],
      [next.id, 'limit'],
    ])
    equals((await known(ref)).sids, expected)
  })

  test('revocations: the tombstone outlives the last access token by the leeway that a verifier may allow', async () => {
    const brief = { idleAtMs: T + MINUTE, absoluteAtMs: T + MINUTE, refreshAtMs: T + MINUTE }
    const record = await created(store, subjectRef(), { ...brief, stamped: true })
    await sessions.end(record.id, 'logout', { ...endRule, stamped: true }, T + 1)
    matches(await sessions.read(record.id), { tombstone: { keepUntilMs: T + ACCESS + LEEWAY } })
  })

  test('revocations: an unknown session is entered where tokens are stamped', async () => {
    const ref = subjectRef()
    const [late, other] = [sessionId(ref), sessionId(ref)]
    await sessions.end(late, 'logout', { ...endRule, stamped: true }, T)
    equals(await revocations.read(ref.tag), { is: 'lost' }) // its tokens are refused as it is
    await created(store, ref, stamped)
    await sessions.end(other, 'logout', { ...endRule, stamped: true }, T + 1)
    equals((await known(ref)).sids, new Map([[other, 'logout']]))
  })

  test('revocations: one token can be refused, with any name', async () => {
    const ref = subjectRef()
    await created(store, ref, stamped)
    const odd = 'a "b" \u0000 😀'
    const done = await revocations.deny(ref, odd, T + HOUR, T)
    matches(done, { ids: [] })
    match(done.durability, /^(replicated|fsynced|local)$/)
    await revocations.deny(ref, 'jti-2', T + HOUR, T)
    equals((await known(ref)).jtis, new Set([odd, 'jti-2']))
  })

  test('revocations: what is over leaves the record when it is written next', async () => {
    const ref = subjectRef()
    const brief = { ...stamped, idleAtMs: T + MINUTE, absoluteAtMs: T + MINUTE, refreshAtMs: T + MINUTE }
    const gone = await created(store, ref, brief)
    await revocations.deny(ref, 'jti-1', T + MINUTE, T)
    await sessions.end(gone.id, 'logout', { ...endRule, stamped: true }, T + 1)
    const untilMs = T + ACCESS + LEEWAY
    await revocations.deny(ref, 'jti-2', T + DAY, untilMs - 1)
    matches(await known(ref), { sids: new Map([[gone.id, 'logout']]), jtis: new Set(['jti-2']) })
    await revocations.deny(ref, 'jti-3', T + DAY, untilMs)
    matches(await known(ref), { sids: new Map(), jtis: new Set(['jti-2', 'jti-3']) })
  })

  test('revocations: a change of roles refuses older tokens, no change refuses none', async () => {
    const ref = subjectRef()
    await created(store, ref, stamped)
    const { notBefore } = await known(ref)
    await sessions.setRoles(ref, ['user'], T + 1)
    equals((await known(ref)).notBefore, notBefore)
    await sessions.setRoles(ref, ['user', 'admin'], T + 2)
    equals((await known(ref)).notBefore, T + 2)
  })

  test('revocations: a role lost by a session past its deadline refuses its access tokens too', async () => {
    const ref = subjectRef()
    const { idleAtMs } = await created(store, ref, { ...stamped, idleAtMs: T + MINUTE, roles: ['admin'] })
    matches(await sessions.setRoles(ref, [], idleAtMs), { ids: [] })
    equals((await known(ref)).notBefore, idleAtMs)
  })
}
