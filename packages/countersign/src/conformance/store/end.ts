import { ok } from 'node:assert/strict'
import { equals, matches } from '../checks.ts'
import type { Bench } from './bench.ts'
import {
  ACCESS,
  created,
  createRule,
  DAY,
  endedBy,
  endRule,
  HOUR,
  idsOf,
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
} from './samples.ts'

/** `end`, `endSubject`, `setRoles`, `list`, the floor. */
export function endCases({ store, test }: Bench): void {
  const { sessions } = store

  test('end: leaves the reason until nothing can refer to the session', async () => {
    const ref = subjectRef()
    const record = await created(store, ref)
    const done = await sessions.end(record.id, 'stolen "phone"', endRule, T + 1)
    matches(done, { ids: [record.id], epoch: 0 })
    const tombstone = { id: record.id, endedAtMs: T + 1, why: 'stolen "phone"', keepUntilMs: record.refreshAtMs }
    equals(await sessions.read(record.id), { is: 'ended', tombstone })
    // The first reason stays.
    matches(await sessions.end(record.id, 'other', endRule, T + 2), { ids: [] })
    equals(await sessions.read(record.id), { is: 'ended', tombstone })
  })

  test('end: the tombstone outlives the last access token', async () => {
    const brief = { idleAtMs: T + MINUTE, absoluteAtMs: T + MINUTE, refreshAtMs: T + MINUTE }
    const record = await created(store, subjectRef(), brief)
    await sessions.end(record.id, 'logout', endRule, T + 1)
    matches(await sessions.read(record.id), { tombstone: { keepUntilMs: T + ACCESS } })
  })

  test('end: an id that the store does not know leaves a tombstone too', async () => {
    const id = sessionId(subjectRef())
    matches(await sessions.end(id, 'logout', { ...endRule, unknownUntilMs: T + HOUR }, T), { ids: [] })
    const tombstone = { id, endedAtMs: T, why: 'logout', keepUntilMs: T + HOUR }
    equals(await sessions.read(id), { is: 'ended', tombstone })
  })

  test('end: a session past its deadline is ended but not counted', async () => {
    const record = await created(store, subjectRef())
    matches(await sessions.end(record.id, 'logout', endRule, record.idleAtMs), { ids: [] })
    equals(await endedBy(store, record.id), 'logout')
  })

  test('end: follows an id that was replaced, however often, to the one in force', async () => {
    const ref = subjectRef()
    const first = await created(store, ref)
    const [second, third] = [recordOf(ref), recordOf(ref)]
    await sessions.replace(first.id, second, replaceRule, T + 1)
    await sessions.replace(second.id, third, replaceRule, T + 2)
    matches(await sessions.end(first.id, 'logout', endRule, T + 3), { ids: [third.id] })
    equals(await endedBy(store, third.id), 'logout')
    equals(await endedBy(store, first.id), 'replaced')
  })

  test('endSubject: ends all, moves the epoch, and leaves other subjects alone', async () => {
    const [ref, other] = [subjectRef(), subjectRef()]
    const mine = [await created(store, ref), await created(store, ref)]
    const theirs = await created(store, other)
    const expired = await created(store, ref, { idleAtMs: T + 1 })
    const done = await sessions.endSubject(ref, 'password_changed', {}, T + SECOND)
    equals([...done.ids].sort(), idsOf(mine).sort())
    equals(done.epoch, T + SECOND)
    for (const { id } of [...mine, expired]) equals(await endedBy(store, id), 'password_changed')
    equals(await live(store, theirs.id), theirs)
    matches(await sessions.subject(ref, T + SECOND), { epoch: T + SECOND, blocked: false, live: 0 })
  })

  test('endSubject: all but one, also when that one is named by an id that it replaced', async () => {
    const ref = subjectRef()
    const gone = await created(store, ref)
    const old = await created(store, ref)
    const next = recordOf(ref)
    await sessions.replace(old.id, next, replaceRule, T + 1)
    const kept = await live(store, next.id)
    matches(await sessions.endSubject(ref, 'logout', { except: old.id }, T + 2), { ids: [gone.id] })
    equals(await live(store, next.id), kept)
    matches(await sessions.endSubject(ref, 'logout', { except: next.id }, T + 3), { ids: [] })
    equals(await live(store, next.id), kept)
  })

  test('endSubject: of a subject that nobody knows moves its epoch', async () => {
    const ref = subjectRef()
    matches(await sessions.endSubject(ref, 'banned', { block: true }, T), { ids: [], epoch: T })
    matches(await sessions.subject(ref, T), { epoch: T, blocked: true, live: 0 })
  })

  test('endSubject: 500 sessions in one call', async () => {
    const ref = subjectRef()
    const limit = { max: 1_000, overflow: 'reject' } as const
    const all = await Promise.all(Array.from({ length: 500 }, () => created(store, ref, {}, { limit })))
    const done = await sessions.endSubject(ref, 'logout', {}, T + 1)
    equals([...done.ids].sort(), idsOf(all).sort())
    for (const { id } of all.slice(0, 100)) ok((await sessions.read(id)).is !== 'live')
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
    equals(found, [...Array(2).fill('unknown'), ...Array(64).fill('logout')])
  })

  test('setRoles: a role lost is gone at once from every session, one gained waits for the next rotation', async () => {
    const ref = subjectRef()
    const a = await created(store, ref, { roles: ['user', 'admin'], idleAtMs: T + DAY })
    const b = await created(store, ref, { roles: ['user'] })
    const done = await sessions.setRoles(ref, ['user', 'moderator'], T + 1)
    equals([...done.ids].sort(), [a.id, b.id].sort())
    equals(done.epoch, T + 1)
    const pending = { roles: ['user'], pendingRoles: ['user', 'moderator'], rolesGeneration: 0 }
    equals(await live(store, a.id), { ...a, ...pending })
    equals(await live(store, b.id), { ...b, ...pending })

    matches(await refresh(store, a.id, 0, T + HOUR), { is: 'rotated' })
    const applied = { roles: ['user', 'moderator'], pendingRoles: null, rolesGeneration: 1 }
    matches(await live(store, a.id), applied)
    // The next rotation changes nothing about roles.
    await refresh(store, a.id, 1, T + 2 * HOUR)
    matches(await live(store, a.id), { ...applied, generation: 2 })
  })

  test('setRoles: neither a repeat nor a replay within the rotation applies waiting roles', async () => {
    const ref = subjectRef()
    const a = await created(store, ref, { idleAtMs: T + DAY })
    await refresh(store, a.id, 0, T + HOUR)
    await sessions.setRoles(ref, ['user', 'admin'], T + HOUR + 1)
    matches(await refresh(store, a.id, 1, T + HOUR + 2), { is: 'current', record: { roles: ['user'] } })
    matches(await refresh(store, a.id, 0, T + HOUR + 3), { is: 'replayed', record: { roles: ['user'] } })
    matches(await live(store, a.id), { roles: ['user'], pendingRoles: ['user', 'admin'] })
  })

  test('setRoles: what was gained and lost again before the rotation never takes effect', async () => {
    const ref = subjectRef()
    const a = await created(store, ref)
    await sessions.setRoles(ref, ['user', 'admin'], T + 1)
    matches(await sessions.setRoles(ref, ['user'], T + 2), { ids: [a.id] })
    equals(await live(store, a.id), a)
    await sessions.setRoles(ref, ['user', 'moderator'], T + 2)
    matches(await sessions.setRoles(ref, ['user', 'admin'], T + 2), { ids: [a.id] })
    matches(await live(store, a.id), { roles: ['user'], pendingRoles: ['user', 'admin'] })
    await sessions.setRoles(ref, ['admin'], T + 3)
    matches(await live(store, a.id), { roles: [], pendingRoles: ['admin'] })
    await sessions.setRoles(ref, [], T + 4)
    matches(await live(store, a.id), { roles: [], pendingRoles: null })
  })

  test('setRoles: with nothing to change it still moves the epoch', async () => {
    const ref = subjectRef()
    const a = await created(store, ref)
    const expired = await created(store, ref, { idleAtMs: T + 1, roles: ['admin'] })
    matches(await sessions.setRoles(ref, ['user'], T + 2), { ids: [], epoch: T + 2 })
    equals(await live(store, a.id), a)
    matches(await live(store, expired.id), { roles: [] })
    equals(await sessions.create(recordOf(ref), { ...createRule, ifEpoch: 0 }, T + 3), { is: 'stale_epoch' })
  })

  test('setRoles: waiting roles are applied when the session is replaced', async () => {
    const ref = subjectRef()
    const old = await created(store, ref)
    await sessions.setRoles(ref, ['user', 'admin'], T + 1)
    const next = recordOf(ref, { roles: ['wrong'], pendingRoles: ['wrong'], rolesGeneration: 5 })
    await sessions.replace(old.id, next, replaceRule, T + 2)
    matches(await live(store, next.id), {
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
    equals(seen, order)
    equals(sizes, [2, 2, 2])
    equals(await listed(store, ref, T, T - 5 * SECOND), idsOf(order.slice(3)))
    equals(await sessions.list(subjectRef(), null, { limit: 10, floorMs: 0 }, T), { items: [], next: null })
  })

  test('list: a cursor holds its place when the session it names has ended', async () => {
    const ref = subjectRef()
    const all = []
    for (let i = 0; i < 4; i++) all.push(await created(store, ref, { createdAtMs: T + i }))
    const { next } = await sessions.list(ref, null, { limit: 2, floorMs: 0 }, T + 9)
    await sessions.end(all[1]!.id, 'logout', endRule, T + 9)
    const rest = await sessions.list(ref, next, { limit: 10, floorMs: 0 }, T + 9)
    equals(idsOf(rest.items), idsOf(all.slice(2)))
    equals(rest.next, null)
  })

  test('the floor only rises, and keeps what raised it and the marker', async () => {
    const before = await sessions.floor()
    ok(before.marker !== '')
    const base = Math.max(before.notBeforeMs, T)
    matches(await sessions.raiseFloor('key "leak"', base + 10), { notBeforeMs: base + 10 })
    matches(await sessions.raiseFloor('late', base + 5), { notBeforeMs: base + 10 })
    equals(await sessions.floor(), { notBeforeMs: base + 10, why: 'key "leak"', marker: before.marker })
  })
}
