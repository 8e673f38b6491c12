import { expect } from 'vitest'
import {
  ACCESS,
  type Bench,
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
} from './kit.ts'

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
    expect(done).toMatchObject({ is: 'created', evicted: [], stamp: T })
    expect(await sessions.read(record.id)).toEqual({ is: 'live', record: { ...record, lastExpMs: T + ACCESS } })
  })

  test('create: nothing signs an access token, so no last expiry is noted', async () => {
    const record = await created(store, subjectRef(), {}, { accessMs: 0 })
    expect(record.lastExpMs).toBe(0)
  })

  test('create: the stamp is above the floor', async () => {
    const record = recordOf(subjectRef(), { createdAtMs: T })
    const done = await sessions.create(record, { ...createRule, floorMs: T + 5 }, T)
    expect(done).toMatchObject({ is: 'created', stamp: T + 6 })
    expect((await live(store, record.id)).lastExpMs).toBe(T + 6 + ACCESS)
  })

  test('create twice with one id: the second is refused and changes nothing', async () => {
    const ref = subjectRef()
    const first = await created(store, ref)
    const second = recordOf(ref, { id: first.id, data: '"other"' })
    expect(await sessions.create(second, createRule, T + 1)).toEqual({ is: 'exists' })
    expect(await live(store, first.id)).toEqual(first)
  })

  test('create after the end of the same id is refused', async () => {
    const ref = subjectRef()
    const record = await created(store, ref)
    await sessions.end(record.id, 'logout', endRule, T + 1)
    expect(await sessions.create(record, createRule, T + 2)).toEqual({ is: 'exists' })
    expect(await endedBy(store, record.id)).toBe('logout')
  })

  test('create after the end of an unknown id is refused', async () => {
    const ref = subjectRef()
    const record = recordOf(ref)
    await sessions.end(record.id, 'logout', endRule, T)
    expect(await sessions.create(record, createRule, T + 1)).toEqual({ is: 'exists' })
  })

  test('an id that was never there is unknown', async () => {
    expect(await sessions.read(sessionId(subjectRef()))).toEqual({ is: 'unknown' })
  })

  test('limit reject: the one above the limit is refused, the others stay', async () => {
    const ref = subjectRef()
    const limit = { max: 2, overflow: 'reject' } as const
    const kept = [await created(store, ref, {}, { limit }), await created(store, ref, {}, { limit })]
    expect(await sessions.create(recordOf(ref), { ...createRule, limit }, T + 1)).toEqual({ is: 'limit' })
    expect((await listed(store, ref, T + 1)).sort()).toEqual(idsOf(kept).sort())
  })

  test('limit evict_oldest: the session created first goes, and says why', async () => {
    const ref = subjectRef()
    const oldest = await created(store, ref, { createdAtMs: T, lastSeenAtMs: T + 10 * SECOND })
    const younger = await created(store, ref, { createdAtMs: T + SECOND })
    const next = recordOf(ref, { createdAtMs: T + 2 * SECOND })
    const rule = { ...createRule, limit: { max: 2, overflow: 'evict_oldest' as const } }
    expect(await sessions.create(next, rule, T + 2 * SECOND)).toMatchObject({ is: 'created', evicted: [oldest.id] })
    expect(await endedBy(store, oldest.id)).toBe('limit')
    expect(await listed(store, ref, T + 2 * SECOND)).toEqual([younger.id, next.id])
  })

  test('limit evict_least_recent: the session used longest ago goes', async () => {
    const ref = subjectRef()
    const oldest = await created(store, ref, { createdAtMs: T })
    const younger = await created(store, ref, { createdAtMs: T + SECOND })
    await sessions.touch(oldest.id, { idleAtMs: T + HOUR }, T + MINUTE)
    const next = recordOf(ref, { createdAtMs: T + 2 * MINUTE })
    const rule = { ...createRule, limit: { max: 2, overflow: 'evict_least_recent' as const } }
    expect(await sessions.create(next, rule, T + 2 * MINUTE)).toMatchObject({ is: 'created', evicted: [younger.id] })
    expect(await listed(store, ref, T + 2 * MINUTE)).toEqual([oldest.id, next.id])
  })

  test('limit: among equals the smaller id goes', async () => {
    const ref = subjectRef()
    const [a, b] = [await created(store, ref), await created(store, ref)]
    const rule = { ...createRule, limit: { max: 2, overflow: 'evict_oldest' as const } }
    const done = await sessions.create(recordOf(ref, { createdAtMs: T + 1 }), rule, T + 1)
    expect(done).toMatchObject({ evicted: [a.id < b.id ? a.id : b.id] })
  })

  test('limit: a lower limit than before evicts as many as it takes', async () => {
    const ref = subjectRef()
    const all = []
    for (let i = 0; i < 5; i++) all.push(await created(store, ref, { createdAtMs: T + i }))
    const rule = { ...createRule, limit: { max: 3, overflow: 'evict_oldest' as const } }
    const done = await sessions.create(recordOf(ref, { createdAtMs: T + 10 }), rule, T + 10)
    expect(done.is === 'created' && [...done.evicted].sort()).toEqual(idsOf(all.slice(0, 3)).sort())
  })

  test('limit: expired sessions do not count, up to the millisecond', async () => {
    const ref = subjectRef()
    const limit = { max: 1, overflow: 'reject' } as const
    const first = await created(store, ref, {}, { limit })
    const rule = { ...createRule, limit }
    const late = recordOf(ref, { createdAtMs: first.idleAtMs })
    expect(await sessions.create(late, rule, first.idleAtMs - 1)).toEqual({ is: 'limit' })
    expect(await sessions.create(late, rule, first.idleAtMs)).toMatchObject({ is: 'created', evicted: [] })
  })

  test('limit: sessions at or below the floor do not count', async () => {
    const ref = subjectRef()
    const limit = { max: 1, overflow: 'reject' } as const
    await created(store, ref, { createdAtMs: T }, { limit })
    const next = recordOf(ref, { createdAtMs: T + 2 })
    expect(await sessions.create(next, { ...createRule, limit, floorMs: T - 1 }, T + 2)).toEqual({ is: 'limit' })
    expect(await sessions.create(next, { ...createRule, limit, floorMs: T }, T + 2)).toMatchObject({ is: 'created' })
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
      expect(answers.filter((answer) => answer.is === 'created')).toHaveLength(expected)
      expect(await listed(store, ref, T + 30)).toHaveLength(5)
    }
  })

  test('a blocked subject gets no session, and gets one again when unblocked', async () => {
    const ref = subjectRef()
    await sessions.endSubject(ref, 'banned', { block: true }, T)
    expect(await sessions.create(recordOf(ref), createRule, T + 1)).toEqual({ is: 'blocked' })
    expect(await sessions.subject(ref, T + 1)).toMatchObject({ blocked: true })
    await sessions.endSubject(ref, 'admin', {}, T + 2) // leaves the block as it is
    expect(await sessions.create(recordOf(ref), createRule, T + 3)).toEqual({ is: 'blocked' })
    await sessions.endSubject(ref, 'admin', { block: false }, T + 4)
    expect(await sessions.create(recordOf(ref), createRule, T + 5)).toMatchObject({ is: 'created' })
  })

  test('ifEpoch: a login that read the epoch before it moved is refused', async () => {
    const ref = subjectRef()
    expect(await sessions.subject(ref, T)).toMatchObject({ epoch: 0, blocked: false, live: 0 })
    expect(await sessions.create(recordOf(ref), { ...createRule, ifEpoch: 0 }, T)).toMatchObject({ is: 'created' })
    const { epoch } = await sessions.endSubject(ref, 'password_changed', {}, T + 1)
    expect(await sessions.create(recordOf(ref), { ...createRule, ifEpoch: 0 }, T + 2)).toEqual({ is: 'stale_epoch' })
    const fresh = { ...createRule, ifEpoch: epoch }
    expect(await sessions.create(recordOf(ref), fresh, T + 2)).toMatchObject({ is: 'created' })
    expect(await sessions.create(recordOf(ref), { ...createRule, ifEpoch: null }, T + 2)).toMatchObject({
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
    expect(seen[0]).toBeGreaterThanOrEqual(T)
    for (let i = 1; i < seen.length; i++) expect(seen[i]).toBeGreaterThan(seen[i - 1]!)
    expect((await sessions.subject(ref, T)).epoch).toBe(seen.at(-1))
  })

  test('subject: counts the live sessions', async () => {
    const ref = subjectRef()
    const a = await created(store, ref, { idleAtMs: T + MINUTE })
    await created(store, ref)
    const ended = await created(store, ref)
    await sessions.end(ended.id, 'logout', endRule, T)
    expect((await sessions.subject(ref, a.idleAtMs - 1)).live).toBe(2)
    expect((await sessions.subject(ref, a.idleAtMs)).live).toBe(1)
  })
}
