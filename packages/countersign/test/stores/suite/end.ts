import { expect } from 'vitest'
import {
  ACCESS,
  type Bench,
  created,
  createRule,
  DAY,
  endedBy,
  endRule,
  HOUR,
  idsOf,
  LEEWAY,
  listed,
  live,
  MINUTE,
  recordOf,
  refresh,
  replaceRule,
  SECOND,
  sessionId,
  subjectRef,
  T,
} from './kit.ts'

/** `end`, `endSubject`, `setRoles`, `list`, the floor. */
export function endCases({ store, test }: Bench): void {
  const { sessions } = store

  test('end: leaves the reason until nothing can refer to the session', async () => {
    const ref = subjectRef()
    const record = await created(store, ref)
    const done = await sessions.end(record.id, 'stolen "phone"', endRule, T + 1)
    expect(done).toMatchObject({ ids: [record.id], epoch: 0 })
    const tombstone = { id: record.id, endedAtMs: T + 1, why: 'stolen "phone"', keepUntilMs: record.refreshAtMs }
    expect(await sessions.read(record.id)).toEqual({ is: 'ended', tombstone })
    // The first reason stays.
    expect(await sessions.end(record.id, 'other', endRule, T + 2)).toMatchObject({ ids: [] })
    expect(await sessions.read(record.id)).toEqual({ is: 'ended', tombstone })
  })

  test('end: the tombstone outlives the last access token, with its leeway where tokens are checked without the record', async () => {
    const brief = { idleAtMs: T + MINUTE, absoluteAtMs: T + MINUTE, refreshAtMs: T + MINUTE }
    for (const stamped of [false, true]) {
      const record = await created(store, subjectRef(), { ...brief, stamped })
      await sessions.end(record.id, 'logout', endRule, T + 1)
      const keepUntilMs = T + ACCESS + (stamped ? LEEWAY : 0)
      expect(await sessions.read(record.id)).toMatchObject({ tombstone: { keepUntilMs } })
    }
  })

  test('end: an id that the store does not know leaves a tombstone too', async () => {
    const id = sessionId(subjectRef())
    expect(await sessions.end(id, 'logout', { ...endRule, unknownUntilMs: T + HOUR }, T)).toMatchObject({ ids: [] })
    const tombstone = { id, endedAtMs: T, why: 'logout', keepUntilMs: T + HOUR }
    expect(await sessions.read(id)).toEqual({ is: 'ended', tombstone })
  })

  test('end: a session past its deadline is ended but not counted', async () => {
    const record = await created(store, subjectRef())
    expect(await sessions.end(record.id, 'logout', endRule, record.idleAtMs)).toMatchObject({ ids: [] })
    expect(await endedBy(store, record.id)).toBe('logout')
  })

  test('end: follows an id that was replaced, however often, to the one in force', async () => {
    const ref = subjectRef()
    const first = await created(store, ref)
    const [second, third] = [recordOf(ref), recordOf(ref)]
    await sessions.replace(first.id, second, replaceRule, T + 1)
    await sessions.replace(second.id, third, replaceRule, T + 2)
    expect(await sessions.end(first.id, 'logout', endRule, T + 3)).toMatchObject({ ids: [third.id] })
    expect(await endedBy(store, third.id)).toBe('logout')
    expect(await endedBy(store, first.id)).toBe('replaced')
  })

  test('endSubject: ends all, moves the epoch, and leaves other subjects alone', async () => {
    const [ref, other] = [subjectRef(), subjectRef()]
    const mine = [await created(store, ref), await created(store, ref)]
    const theirs = await created(store, other)
    const expired = await created(store, ref, { idleAtMs: T + 1 })
    const done = await sessions.endSubject(ref, 'password_changed', {}, T + SECOND)
    expect([...done.ids].sort()).toEqual(idsOf(mine).sort())
    expect(done.epoch).toBe(T + SECOND)
    for (const { id } of [...mine, expired]) expect(await endedBy(store, id)).toBe('password_changed')
    expect(await live(store, theirs.id)).toEqual(theirs)
    expect(await sessions.subject(ref, T + SECOND)).toMatchObject({ epoch: T + SECOND, blocked: false, live: 0 })
  })

  test('endSubject: all but one, also when that one is named by an id that it replaced', async () => {
    const ref = subjectRef()
    const gone = await created(store, ref)
    const old = await created(store, ref)
    const next = recordOf(ref)
    await sessions.replace(old.id, next, replaceRule, T + 1)
    const kept = await live(store, next.id)
    expect(await sessions.endSubject(ref, 'logout', { except: old.id }, T + 2)).toMatchObject({ ids: [gone.id] })
    expect(await live(store, next.id)).toEqual(kept)
    expect(await sessions.endSubject(ref, 'logout', { except: next.id }, T + 3)).toMatchObject({ ids: [] })
    expect(await live(store, next.id)).toEqual(kept)
  })

  test('endSubject: of a subject that nobody knows moves its epoch', async () => {
    const ref = subjectRef()
    expect(await sessions.endSubject(ref, 'banned', { block: true }, T)).toMatchObject({ ids: [], epoch: T })
    expect(await sessions.subject(ref, T)).toMatchObject({ epoch: T, blocked: true, live: 0 })
  })

  test('endSubject: 500 sessions in one call', async () => {
    const ref = subjectRef()
    const limit = { max: 1_000, overflow: 'reject' } as const
    const all = await Promise.all(Array.from({ length: 500 }, () => created(store, ref, {}, { limit })))
    const done = await sessions.endSubject(ref, 'logout', {}, T + 1)
    expect([...done.ids].sort()).toEqual(idsOf(all).sort())
    for (const { id } of all.slice(0, 100)) expect((await sessions.read(id)).is).not.toBe('live')
  })

  test('tombstones are capped per subject, and the oldest go first', async () => {
    const ref = subjectRef()
    const all = []
    for (let i = 0; i < 66; i++) {
      const record = await created(store, ref)
      await sessions.end(record.id, 'logout', endRule, T + i)
      all.push(record.id)
    }
    const found = await Promise.all(all.map((id) => endedBy(store, id)))
    expect(found).toEqual([...Array(2).fill('unknown'), ...Array(64).fill('logout')])
  })

  test('setRoles: a role lost is gone at once from every session, one gained waits for the next rotation', async () => {
    const ref = subjectRef()
    const a = await created(store, ref, { roles: ['user', 'admin'], idleAtMs: T + DAY })
    const b = await created(store, ref, { roles: ['user'] })
    const done = await sessions.setRoles(ref, ['user', 'moderator'], T + 1)
    expect([...done.ids].sort()).toEqual([a.id, b.id].sort())
    expect(done.epoch).toBe(T + 1)
    const pending = { roles: ['user'], pendingRoles: ['user', 'moderator'], rolesGeneration: 0 }
    expect(await live(store, a.id)).toEqual({ ...a, ...pending })
    expect(await live(store, b.id)).toEqual({ ...b, ...pending })

    expect(await refresh(store, a.id, 0, T + HOUR)).toMatchObject({ is: 'rotated' })
    const applied = { roles: ['user', 'moderator'], pendingRoles: null, rolesGeneration: 1 }
    expect(await live(store, a.id)).toMatchObject(applied)
    // The next rotation changes nothing about roles.
    await refresh(store, a.id, 1, T + 2 * HOUR)
    expect(await live(store, a.id)).toMatchObject({ ...applied, generation: 2 })
  })

  test('setRoles: neither a repeat nor a replay within the rotation applies waiting roles', async () => {
    const ref = subjectRef()
    const a = await created(store, ref, { idleAtMs: T + DAY })
    await refresh(store, a.id, 0, T + HOUR)
    await sessions.setRoles(ref, ['user', 'admin'], T + HOUR + 1)
    expect(await refresh(store, a.id, 1, T + HOUR + 2)).toMatchObject({ is: 'current', record: { roles: ['user'] } })
    expect(await refresh(store, a.id, 0, T + HOUR + 3)).toMatchObject({ is: 'replayed', record: { roles: ['user'] } })
    expect(await live(store, a.id)).toMatchObject({ roles: ['user'], pendingRoles: ['user', 'admin'] })
  })

  test('setRoles: what was gained and lost again before the rotation never takes effect', async () => {
    const ref = subjectRef()
    const a = await created(store, ref)
    await sessions.setRoles(ref, ['user', 'admin'], T + 1)
    expect(await sessions.setRoles(ref, ['user'], T + 2)).toMatchObject({ ids: [a.id] })
    expect(await live(store, a.id)).toEqual(a)
    await sessions.setRoles(ref, ['user', 'moderator'], T + 2)
    expect(await sessions.setRoles(ref, ['user', 'admin'], T + 2)).toMatchObject({ ids: [a.id] })
    expect(await live(store, a.id)).toMatchObject({ roles: ['user'], pendingRoles: ['user', 'admin'] })
    await sessions.setRoles(ref, ['admin'], T + 3)
    expect(await live(store, a.id)).toMatchObject({ roles: [], pendingRoles: ['admin'] })
    await sessions.setRoles(ref, [], T + 4)
    expect(await live(store, a.id)).toMatchObject({ roles: [], pendingRoles: null })
  })

  test('setRoles: with nothing to change it still moves the epoch', async () => {
    const ref = subjectRef()
    const a = await created(store, ref)
    const expired = await created(store, ref, { idleAtMs: T + 1, roles: ['admin'] })
    expect(await sessions.setRoles(ref, ['user'], T + 2)).toMatchObject({ ids: [], epoch: T + 2 })
    expect(await live(store, a.id)).toEqual(a)
    expect(await live(store, expired.id)).toMatchObject({ roles: [] })
    expect(await sessions.create(recordOf(ref), { ...createRule, ifEpoch: 0 }, T + 3)).toEqual({ is: 'stale_epoch' })
  })

  test('setRoles: waiting roles are applied when the session is replaced', async () => {
    const ref = subjectRef()
    const old = await created(store, ref)
    await sessions.setRoles(ref, ['user', 'admin'], T + 1)
    const next = recordOf(ref, { roles: ['wrong'], pendingRoles: ['wrong'], rolesGeneration: 5 })
    await sessions.replace(old.id, next, replaceRule, T + 2)
    expect(await live(store, next.id)).toMatchObject({
      roles: ['user', 'admin'],
      pendingRoles: null,
      rolesGeneration: 0,
    })
  })

  test('list: by creation time and id, in pages, without what is over', async () => {
    const ref = subjectRef()
    const all = []
    for (const age of [5, 3, 3, 9, 1, 7]) all.push(await created(store, ref, { createdAtMs: T - age * SECOND }))
    const order = [...all].sort((a, b) => a.createdAtMs - b.createdAtMs || (a.id < b.id ? -1 : 1))
    const ended = await created(store, ref, { createdAtMs: T - 4 * SECOND })
    await sessions.end(ended.id, 'logout', endRule, T)
    await created(store, ref, { createdAtMs: T - 4 * SECOND, idleAtMs: T }, {}, T - 1)

    const seen: unknown[] = []
    const sizes: number[] = []
    let after: string | null = null
    do {
      const page: Awaited<ReturnType<typeof sessions.list>> = await sessions.list(
        ref,
        after,
        { limit: 2, floorMs: 0 },
        T,
      )
      seen.push(...page.items)
      sizes.push(page.items.length)
      after = page.next
    } while (after !== null)
    expect(seen).toEqual(order)
    expect(sizes).toEqual([2, 2, 2])
    expect(await listed(store, ref, T, T - 5 * SECOND)).toEqual(idsOf(order.slice(3)))
    expect(await sessions.list(subjectRef(), null, { limit: 10, floorMs: 0 }, T)).toEqual({ items: [], next: null })
  })

  test('list: a cursor holds its place when the session it names has ended', async () => {
    const ref = subjectRef()
    const all = []
    for (let i = 0; i < 4; i++) all.push(await created(store, ref, { createdAtMs: T + i }))
    const { next } = await sessions.list(ref, null, { limit: 2, floorMs: 0 }, T + 9)
    await sessions.end(all[1]!.id, 'logout', endRule, T + 9)
    const rest = await sessions.list(ref, next, { limit: 10, floorMs: 0 }, T + 9)
    expect(idsOf(rest.items)).toEqual(idsOf(all.slice(2)))
    expect(rest.next).toBeNull()
  })

  test('the floor only rises, and keeps what raised it and the marker', async () => {
    const before = await sessions.floor()
    expect(before.marker).not.toBe('')
    const base = Math.max(before.notBeforeMs, T)
    expect(await sessions.raiseFloor('key "leak"', base + 10)).toMatchObject({ notBeforeMs: base + 10 })
    expect(await sessions.raiseFloor('late', base + 5)).toMatchObject({ notBeforeMs: base + 10 })
    expect(await sessions.floor()).toEqual({ notBeforeMs: base + 10, why: 'key "leak"', marker: before.marker })
  })
}
