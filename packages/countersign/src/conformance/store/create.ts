import { ok } from 'node:assert/strict'
import { equals, matches } from '../checks.ts'
import type { Bench } from './bench.ts'
import {
  ACCESS,
  created,
  createRule,
  endedBy,
  endRule,
  HOUR,
  hashOf,
  idsOf,
  listed,
  live,
  MINUTE,
  recordOf,
  SECOND,
  sessionId,
  subjectRef,
  T,
} from './samples.ts'

/** `create` and its limits, the epoch, `subject`. */
export function createCases({ store, test }: Bench): void {
  const { sessions } = store

  test('create: the session is read back as it was given, field by field', async () => {
    const ref = subjectRef()
    const record = recordOf(ref, {
      tenant: 'acme',
      amr: ['pwd', 'otp'],
      roles: ['admin', 'user'],
      pendingRoles: ['user'],
      rolesGeneration: 3,
      operations: ['op-1', 'op-2'],
      generation: 4,
      previousHash: hashOf('secret 3'),
      rotationKey: 2,
      macKey: 9,
      confirmedAtMs: T - 1,
      replays: 2,
      persistent: true,
      delivery: 'bearer',
      data: null,
    })
    const done = await sessions.create(record, createRule, T)
    matches(done, { is: 'created', evicted: [], stamp: T })
    equals(await sessions.read(record.id), { is: 'live', record: { ...record, lastExpMs: T + ACCESS } })
  })

  test('create: nothing signs an access token, so no last expiry is noted', async () => {
    const record = await created(store, subjectRef(), {}, { accessMs: 0 })
    equals(record.lastExpMs, 0)
  })

  test('create: the stamp is above the floor', async () => {
    const record = recordOf(subjectRef(), { createdAtMs: T })
    const done = await sessions.create(record, { ...createRule, floorMs: T + 5 }, T)
    matches(done, { is: 'created', stamp: T + 6 })
    equals((await live(store, record.id)).lastExpMs, T + 6 + ACCESS)
  })

  test('create twice with one id: the second is refused and changes nothing', async () => {
    const ref = subjectRef()
    const first = await created(store, ref)
    const second = recordOf(ref, { id: first.id, data: '"other"' })
    equals(await sessions.create(second, createRule, T + 1), { is: 'exists' })
    equals(await live(store, first.id), first)
  })

  test('create after the end of the same id is refused', async () => {
    const ref = subjectRef()
    const record = await created(store, ref)
    await sessions.end(record.id, 'logout', endRule, T + 1)
    equals(await sessions.create(record, createRule, T + 2), { is: 'exists' })
    equals(await endedBy(store, record.id), 'logout')
  })

  test('create after the end of an unknown id is refused', async () => {
    const ref = subjectRef()
    const record = recordOf(ref)
    await sessions.end(record.id, 'logout', endRule, T)
    equals(await sessions.create(record, createRule, T + 1), { is: 'exists' })
  })

  test('an id that was never there is unknown', async () => {
    equals(await sessions.read(sessionId(subjectRef())), { is: 'unknown' })
  })

  test('limit reject: the one above the limit is refused, the others stay', async () => {
    const ref = subjectRef()
    const limit = { max: 2, overflow: 'reject' } as const
    const kept = [await created(store, ref, {}, { limit }), await created(store, ref, {}, { limit })]
    equals(await sessions.create(recordOf(ref), { ...createRule, limit }, T + 1), { is: 'limit' })
    equals((await listed(store, ref, T + 1)).sort(), idsOf(kept).sort())
  })

  test('limit evict_oldest: the session created first goes, and says why', async () => {
    const ref = subjectRef()
    const oldest = await created(store, ref, { createdAtMs: T, lastSeenAtMs: T + 10 * SECOND })
    const younger = await created(store, ref, { createdAtMs: T + SECOND })
    const next = recordOf(ref, { createdAtMs: T + 2 * SECOND })
    const rule = { ...createRule, limit: { max: 2, overflow: 'evict_oldest' as const } }
    matches(await sessions.create(next, rule, T + 2 * SECOND), { is: 'created', evicted: [oldest.id] })
    equals(await endedBy(store, oldest.id), 'limit')
    equals(await listed(store, ref, T + 2 * SECOND), [younger.id, next.id])
  })

  test('limit evict_least_recent: the session used longest ago goes', async () => {
    const ref = subjectRef()
    const oldest = await created(store, ref, { createdAtMs: T })
    const younger = await created(store, ref, { createdAtMs: T + SECOND })
    await sessions.touch(oldest.id, { idleAtMs: T + HOUR }, T + MINUTE)
    const next = recordOf(ref, { createdAtMs: T + 2 * MINUTE })
    const rule = { ...createRule, limit: { max: 2, overflow: 'evict_least_recent' as const } }
    matches(await sessions.create(next, rule, T + 2 * MINUTE), { is: 'created', evicted: [younger.id] })
    equals(await listed(store, ref, T + 2 * MINUTE), [oldest.id, next.id])
  })

  test('limit: among equals the smaller id goes', async () => {
    const ref = subjectRef()
    const [a, b] = [await created(store, ref), await created(store, ref)]
    const rule = { ...createRule, limit: { max: 2, overflow: 'evict_oldest' as const } }
    const done = await sessions.create(recordOf(ref, { createdAtMs: T + 1 }), rule, T + 1)
    matches(done, { evicted: [a.id < b.id ? a.id : b.id] })
  })

  test('limit: a lower limit than before evicts as many as it takes', async () => {
    const ref = subjectRef()
    const all = []
    for (let i = 0; i < 5; i++) all.push(await created(store, ref, { createdAtMs: T + i }))
    const rule = { ...createRule, limit: { max: 3, overflow: 'evict_oldest' as const } }
    const done = await sessions.create(recordOf(ref, { createdAtMs: T + 10 }), rule, T + 10)
    equals(done.is === 'created' && [...done.evicted].sort(), idsOf(all.slice(0, 3)).sort())
  })

  test('limit: expired sessions do not count, up to the millisecond', async () => {
    const ref = subjectRef()
    const limit = { max: 1, overflow: 'reject' } as const
    const first = await created(store, ref, {}, { limit })
    const rule = { ...createRule, limit }
    const late = recordOf(ref, { createdAtMs: first.idleAtMs })
    equals(await sessions.create(late, rule, first.idleAtMs - 1), { is: 'limit' })
    matches(await sessions.create(late, rule, first.idleAtMs), { is: 'created', evicted: [] })
  })

  test('limit: sessions at or below the floor do not count', async () => {
    const ref = subjectRef()
    const limit = { max: 1, overflow: 'reject' } as const
    await created(store, ref, { createdAtMs: T }, { limit })
    const next = recordOf(ref, { createdAtMs: T + 2 })
    equals(await sessions.create(next, { ...createRule, limit, floorMs: T - 1 }, T + 2), { is: 'limit' })
    matches(await sessions.create(next, { ...createRule, limit, floorMs: T }, T + 2), { is: 'created' })
  })

  test('limit: twenty logins at once never exceed it', async () => {
    for (const [overflow, expected] of [
      ['reject', 5],
      ['evict_oldest', 20],
    ] as const) {
      const ref = subjectRef()
      const rule = { ...createRule, limit: { max: 5, overflow } }
      const logins = Array.from({ length: 20 }, (_, i) =>
        sessions.create(recordOf(ref, { createdAtMs: T + i }), rule, T + i),
      )
      const answers = await Promise.all(logins)
      equals(answers.filter((answer) => answer.is === 'created').length, expected)
      equals((await listed(store, ref, T + 30)).length, 5)
    }
  })

  test('a blocked subject gets no session, and gets one again when unblocked', async () => {
    const ref = subjectRef()
    await sessions.endSubject(ref, 'banned', { block: true }, T)
    equals(await sessions.create(recordOf(ref), createRule, T + 1), { is: 'blocked' })
    matches(await sessions.subject(ref, T + 1), { blocked: true })
    await sessions.endSubject(ref, 'admin', {}, T + 2) // leaves the block as it is
    equals(await sessions.create(recordOf(ref), createRule, T + 3), { is: 'blocked' })
    await sessions.endSubject(ref, 'admin', { block: false }, T + 4)
    matches(await sessions.create(recordOf(ref), createRule, T + 5), { is: 'created' })
  })

  test('ifEpoch: a login that read the epoch before it moved is refused', async () => {
    const ref = subjectRef()
    matches(await sessions.subject(ref, T), { epoch: 0, blocked: false, live: 0 })
    matches(await sessions.create(recordOf(ref), { ...createRule, ifEpoch: 0 }, T), { is: 'created' })
    const { epoch } = await sessions.endSubject(ref, 'password_changed', {}, T + 1)
    equals(await sessions.create(recordOf(ref), { ...createRule, ifEpoch: 0 }, T + 2), { is: 'stale_epoch' })
    const fresh = { ...createRule, ifEpoch: epoch }
    matches(await sessions.create(recordOf(ref), fresh, T + 2), { is: 'created' })
    matches(await sessions.create(recordOf(ref), { ...createRule, ifEpoch: null }, T + 2), {
      is: 'created',
    })
  })

  test('the epoch only grows, also with a clock that goes back', async () => {
    const ref = subjectRef()
    const seen: number[] = []
    for (const nowMs of [T, T, T - HOUR, T + 1, T - HOUR]) {
      seen.push((await sessions.endSubject(ref, 'admin', {}, nowMs)).epoch)
      seen.push((await sessions.setRoles(ref, ['user'], nowMs)).epoch)
    }
    ok(seen[0]! >= T)
    for (let i = 1; i < seen.length; i++) ok(seen[i]! > seen[i - 1]!)
    equals((await sessions.subject(ref, T)).epoch, seen.at(-1))
  })

  test('subject: counts the live sessions', async () => {
    const ref = subjectRef()
    const a = await created(store, ref, { idleAtMs: T + MINUTE })
    await created(store, ref)
    const ended = await created(store, ref)
    await sessions.end(ended.id, 'logout', endRule, T)
    equals((await sessions.subject(ref, a.idleAtMs - 1)).live, 2)
    equals((await sessions.subject(ref, a.idleAtMs)).live, 1)
  })
}
