// One test per guard of the rules without which a model found a counter-example (docs/design/0002 and 0007), as far as the
// guard lives in stores/steps. Each tells the attack or the accident that the guard stops, and fails without it.

import { samples } from 'countersign/conformance'
import { memoryStore } from 'countersign/stores/memory'
import { expect, test } from 'vitest'

const {
  ACCESS,
  created,
  createRule,
  DAY,
  endedBy,
  endRule,
  GRACE,
  HOUR,
  live,
  MINUTE,
  recordOf,
  refresh,
  replaceRule,
  sessionId,
  subjectRef,
  T,
} = samples

const R = T + HOUR
const open = async () => {
  const store = memoryStore()
  const ref = subjectRef()
  const { id } = await created(store, ref, { idleAtMs: T + DAY })
  return { store, sessions: store.sessions, ref, id }
}

test('at most one rotation per grace: a request that was merely slow is never taken for theft', async () => {
  const { store, id } = await open()
  await refresh(store, id, 0, R)
  // The other tab already has generation 1 and presents it, while a request with generation 0 is still on its way.
  expect(await refresh(store, id, 1, R + 1)).toMatchObject({ is: 'current' })
  expect(await refresh(store, id, 0, R + GRACE - 1)).toMatchObject({ is: 'replayed' })
  expect(await endedBy(store, id)).toBe('live')
})

test('a replay counts as handing out: whoever got the successor late can lose one answer to it', async () => {
  const { store, id } = await open()
  await refresh(store, id, 0, R) // the answer is lost
  expect(await refresh(store, id, 0, R + HOUR)).toMatchObject({ is: 'replayed' })
  expect(await refresh(store, id, 1, R + HOUR + GRACE - 1)).toMatchObject({ is: 'current' })
  expect(await refresh(store, id, 0, R + HOUR + GRACE)).toMatchObject({ is: 'replayed' })
})

test('a repeat of the presented token is no handing out: a client that asks often still rotates', async () => {
  const { store, id } = await open()
  for (let atMs = T + 1; atMs < T + GRACE; atMs += 1_000) {
    expect(await refresh(store, id, 0, atMs)).toMatchObject({ is: 'current' })
  }
  expect(await refresh(store, id, 0, T + GRACE)).toMatchObject({ is: 'rotated' })
})

test('a replay derives with the rotation key named in the record, not with the newest', async () => {
  const { store, id } = await open()
  await refresh(store, id, 0, R, {}, { rotationKey: 1, macKey: 1 })
  const replay = await refresh(store, id, 0, R + 1, {}, { rotationKey: 2, macKey: 2 })
  expect(replay).toMatchObject({ is: 'replayed', record: { rotationKey: 1, macKey: 1 } })
  expect(await live(store, id)).toMatchObject({ rotationKey: 1, macKey: 1 })
})

test('a confirmation counts for its own generation only: a late one of the old token does not open the grace', async () => {
  const { store, sessions, id } = await open()
  await refresh(store, id, 0, R)
  await sessions.touch(id, { idleAtMs: T + DAY, generation: 0 }, R + 1)
  expect(await refresh(store, id, 0, R + HOUR)).toMatchObject({ is: 'replayed' })
})

test('a second confirmation does not move the first: the grace cannot be kept open', async () => {
  const { store, sessions, id } = await open()
  await refresh(store, id, 0, R)
  await sessions.touch(id, { idleAtMs: T + DAY, generation: 1 }, R + 1)
  await sessions.touch(id, { idleAtMs: T + DAY, generation: 1 }, R + GRACE)
  expect(await refresh(store, id, 1, R + GRACE - 1)).toMatchObject({ is: 'current' })
  expect(await refresh(store, id, 0, R + 1 + GRACE)).toMatchObject({ is: 'reused' })
})

test('a touch never revives: not what has ended, not what is past its deadline', async () => {
  const { store, sessions, ref, id } = await open()
  const idle = await created(store, ref, { idleAtMs: T + MINUTE })
  await sessions.end(id, 'logout', endRule, T + 1)
  for (const one of [id, idle.id]) await sessions.touch(one, { idleAtMs: T + DAY }, T + MINUTE)
  expect(await endedBy(store, id)).toBe('logout')
  expect(await live(store, idle.id)).toEqual(idle)
})

test('what the store has not been told was not seen: the successor is given again after any time', async () => {
  const { store, id } = await open()
  await refresh(store, id, 0, R)
  expect(await refresh(store, id, 0, R + 20 * HOUR)).toMatchObject({ is: 'replayed' })
})

test('revoke of an id that a step-up replaced follows to the new one', async () => {
  const { store, sessions, ref, id } = await open()
  const next = recordOf(ref)
  await sessions.replace(id, next, replaceRule, T + 1)
  await sessions.end(id, 'stolen', endRule, T + 2)
  expect(await endedBy(store, next.id)).toBe('stolen')
})

test('log out everywhere but here, asked with the id from before a step-up, keeps the session in force', async () => {
  const { store, sessions, ref, id } = await open()
  const next = recordOf(ref)
  await sessions.replace(id, next, replaceRule, T + 1)
  await sessions.endSubject(ref, 'logout', { except: id }, T + 2)
  expect(await endedBy(store, next.id)).toBe('live')
})

test('every role change moves the epoch: a login in flight cannot bring the old roles back', async () => {
  const { sessions, ref } = await open()
  const { epoch } = await sessions.subject(ref, T)
  await sessions.setRoles(ref, ['user'], T) // no session changes, and yet
  expect(await sessions.create(recordOf(ref), { ...createRule, ifEpoch: epoch }, T + 1)).toEqual({ is: 'stale_epoch' })
})

test('a login cannot overtake a ban, whichever of the two comes first', async () => {
  const { store, sessions, ref, id } = await open()
  const { epoch } = await sessions.subject(ref, T)
  await sessions.endSubject(ref, 'banned', { block: true }, T)
  const late = { ...createRule, ifEpoch: epoch }
  expect(await sessions.create(recordOf(ref), late, T + 1)).toEqual({ is: 'blocked' })
  await sessions.endSubject(ref, 'admin', { block: false }, T + 2)
  expect(await sessions.create(recordOf(ref), late, T + 3)).toEqual({ is: 'stale_epoch' })
  expect(await endedBy(store, id)).toBe('banned')
})

test('a blocked subject keeps no way in through a step-up', async () => {
  const { sessions, ref, id } = await open()
  await sessions.endSubject(ref, 'banned', { block: true, except: id }, T)
  expect(await sessions.replace(id, recordOf(ref), replaceRule, T + 1)).toEqual({ is: 'blocked' })
})

test('the epoch moves forward also when the clock stands still or goes back', async () => {
  const { sessions, ref } = await open()
  const moves = [T, T, T - DAY]
  const epochs = []
  for (const nowMs of moves) epochs.push((await sessions.endSubject(ref, 'admin', {}, nowMs)).epoch)
  expect(epochs).toEqual([T, T + 1, T + 2])
})

test('an epoch outlives its move by a day, and a block for ever: no held login passes because it was forgotten', async () => {
  const store = memoryStore()
  const { sessions } = store
  const [moved, blocked] = [subjectRef(), subjectRef()]
  await sessions.endSubject(moved, 'password_changed', {}, T)
  await sessions.endSubject(blocked, 'banned', { block: true }, T)
  await sessions.sweep!(T + DAY - 1, 100)
  expect(await sessions.create(recordOf(moved), { ...createRule, ifEpoch: 0 }, T + DAY - 1)).toEqual({
    is: 'stale_epoch',
  })
  await sessions.sweep!(T + 1_000 * DAY, 100)
  expect(await sessions.create(recordOf(blocked), createRule, T + 1_000 * DAY)).toEqual({ is: 'blocked' })
})

test('the life of an access token counts from the stamp, not from the signer: the record outlives it', async () => {
  const store = memoryStore()
  const ref = subjectRef()
  const record = recordOf(ref)
  const done = await store.sessions.create(record, { ...createRule, floorMs: T + MINUTE }, T)
  expect(done).toMatchObject({ stamp: T + MINUTE + 1 })
  expect(await live(store, record.id)).toMatchObject({ lastExpMs: T + MINUTE + 1 + ACCESS })
})

test('stamps start above the floor, which lies above the clock after a flush', async () => {
  const { store, id } = await open()
  const floorMs = T - 1
  expect(await refresh(store, id, 0, R, { floorMs })).toMatchObject({ is: 'rotated', stamp: R })
  const behind = await refresh(store, id, 0, floorMs - HOUR, { floorMs })
  expect(behind).toMatchObject({ is: 'replayed', stamp: floorMs + 1 })
})

test('revoke of a session that the store does not know leaves a tombstone: a create that was held cannot land', async () => {
  const { store, sessions, ref } = await open()
  const held = recordOf(ref)
  await sessions.end(held.id, 'logout', endRule, T)
  expect(await sessions.create(held, createRule, T + 1)).toEqual({ is: 'exists' })
  expect(await endedBy(store, held.id)).toBe('logout')
})

test('revoke of an unknown session refuses its stamped tokens', async () => {
  const store = memoryStore()
  const ref = subjectRef()
  await created(store, ref, { stamped: true })
  const lost = sessionId(ref)
  await store.sessions.end(lost, 'logout', { ...endRule, stamped: true }, T)
  expect(await store.revocations.read(ref.tag)).toMatchObject({ sids: new Map([[lost, 'logout']]) })
})

test('stamp and authorisation are one step: no token has a stamp that a log-out-everywhere after it misses', async () => {
  const store = memoryStore()
  const ref = subjectRef()
  const record = recordOf(ref, { stamped: true, idleAtMs: T + DAY })
  const stamps: number[] = []
  const note = (done: object) => stamps.push((done as { stamp: number }).stamp)
  note(await store.sessions.create(record, createRule, T + HOUR))
  note(await refresh(store, record.id, 0, T + 2 * HOUR))
  note(await refresh(store, record.id, 0, T + 3 * HOUR))
  const next = recordOf(ref, { stamped: true, idleAtMs: T + DAY })
  note(await store.sessions.replace(record.id, next, replaceRule, T + 4 * HOUR))
  for (const stamp of stamps) expect(stamp).toBeGreaterThan(T)
  await store.sessions.endSubject(ref, 'logout', { except: next.id }, T) // by a clock that is hours behind
  const found = await store.revocations.read(ref.tag)
  for (const stamp of stamps) expect(stamp).toBeLessThanOrEqual(found.is === 'known' ? found.notBefore : 0)
  // And the next token lies above it, whatever the clock says.
  expect(await refresh(store, next.id, 0, T + 5)).toMatchObject({ stamp: T + 4 * HOUR + 1 })
})

test('the record of a subject that begins anew refuses what was issued before: a login does not undo a loss', async () => {
  const store = memoryStore() // has lost everything, while tokens with stamps up to T - 1 still run
  const ref = subjectRef()
  const { is, stamp } = (await store.sessions.create(recordOf(ref, { stamped: true }), createRule, T)) as {
    is: string
    stamp: number
  }
  expect(is).toBe('created')
  const found = await store.revocations.read(ref.tag)
  const notBefore = found.is === 'known' ? found.notBefore : 0
  expect(notBefore).toBe(T - 1)
  expect(stamp).toBeGreaterThan(notBefore)
})

test('a change of roles refuses older tokens also where the session is past its deadline but the token is not', async () => {
  const store = memoryStore()
  const ref = subjectRef()
  const { idleAtMs, lastExpMs } = await created(store, ref, { stamped: true, roles: ['admin'], idleAtMs: T + MINUTE })
  expect(lastExpMs).toBeGreaterThan(idleAtMs)
  await store.sessions.setRoles(ref, [], idleAtMs)
  expect(await store.revocations.read(ref.tag)).toMatchObject({ notBefore: idleAtMs })
})

test('role names are compared one by one: a name with a comma is not two names', async () => {
  const { store, sessions, ref, id } = await open()
  await sessions.setRoles(ref, ['user', 'a,b'], T + 1)
  await sessions.setRoles(ref, ['user', 'a', 'b'], T + 2)
  expect(await live(store, id)).toMatchObject({ pendingRoles: ['user', 'a', 'b'] })
})

test('rotation never moves the absolute deadline, nor lets the refresh token outlive it', async () => {
  const { store, id } = await open()
  const { absoluteAtMs } = await live(store, id)
  await refresh(store, id, 0, R, {}, { refreshAtMs: T + 400 * DAY })
  expect(await live(store, id)).toMatchObject({ absoluteAtMs, refreshAtMs: absoluteAtMs })
})

test('a garbage secret under the right id and generation ends the session as a rollback, not as theft', async () => {
  const { store, sessions, id } = await open()
  const rule = { graceMs: GRACE, replay: 'until_seen' as const, maxReplays: 5, accessMs: ACCESS, floorMs: 0, use: null }
  const next = { hash: new Uint8Array(32), rotationKey: 1, macKey: 1, refreshAtMs: T + DAY, origin: {} }
  const done = await sessions.rotate(id, { generation: 0, hash: new Uint8Array(32) }, next, rule, R)
  expect(done).toMatchObject({ is: 'rolled_back' })
  expect(await endedBy(store, id)).toBe('rolled_back')
})
