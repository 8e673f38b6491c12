import type { SessionId } from '../../session/ids.ts'
import { equals, matches } from '../checks.ts'
import type { Bench } from './bench.ts'
import {
  ACCESS,
  created,
  DAY,
  endedBy,
  GRACE,
  HOUR,
  hashOf,
  live,
  MINUTE,
  presented,
  refresh,
  rotationRule,
  sessionId,
  subjectRef,
  successorOf,
  T,
} from './samples.ts'

/** The refresh table of `docs/design/0003`, row by row and one millisecond either side of each limit. */
export function rotateCases({ store, test }: Bench): void {
  const { sessions } = store
  /** Rotations lie an hour apart, so that no grace is left over. */
  const R = T + HOUR
  const start = () => created(store, subjectRef(), { idleAtMs: T + DAY })
  const rotatedOnce = async (): Promise<SessionId> => {
    const { id } = await start()
    matches(await refresh(store, id, 0, R), { is: 'rotated' })
    return id
  }
  const confirm = (id: SessionId, generation: number, nowMs: number) =>
    sessions.touch(id, { idleAtMs: T + DAY, generation }, nowMs)

  test('row 2: the current token rotates', async () => {
    const before = await start()
    const next = { rotationKey: 5, macKey: 6, refreshAtMs: T + 3 * DAY, origin: { ip: '203.0.113.9' } }
    const done = await refresh(store, before.id, 0, R, {}, next)
    const after = {
      ...before,
      generation: 1,
      hash: hashOf('secret 1'),
      previousHash: hashOf('secret 0'),
      rotationKey: 5,
      macKey: 6,
      rotatedAtMs: R,
      handedOutAtMs: R,
      confirmedAtMs: 0,
      replays: 0,
      origin: { ip: '203.0.113.9' },
      refreshAtMs: T + 3 * DAY,
      lastExpMs: R + ACCESS,
    }
    matches(done, { is: 'rotated', record: after, previousOrigin: before.origin, stamp: R })
    equals(await live(store, before.id), after)
  })

  test('row 2: the refresh deadline never passes the absolute one', async () => {
    const { id } = await created(store, subjectRef(), { idleAtMs: T + DAY, absoluteAtMs: T + DAY })
    await refresh(store, id, 0, R, {}, { refreshAtMs: T + 9 * DAY })
    matches(await live(store, id), { refreshAtMs: T + DAY, absoluteAtMs: T + DAY })
  })

  test('row 3: handed out less than the grace ago, it is not rotated again', async () => {
    const before = await start()
    const done = await refresh(store, before.id, 0, T + GRACE - 1)
    const after = { ...before, confirmedAtMs: T + GRACE - 1, lastExpMs: T + GRACE - 1 + ACCESS }
    matches(done, { is: 'current', record: after, previousOrigin: before.origin })
    equals(await live(store, before.id), after)
    matches(await refresh(store, before.id, 0, T + GRACE), { is: 'rotated' })
  })

  test('row 3: also when the clock went back', async () => {
    const { id } = await start()
    matches(await refresh(store, id, 0, T - HOUR), { is: 'current', record: { generation: 0 } })
  })

  test('row 4: the previous token gives the same successor while that was not seen, however late', async () => {
    const id = await rotatedOnce()
    const other = { rotationKey: 9, macKey: 9, hash: hashOf('not the successor'), origin: { ip: '203.0.113.9' } }
    const done = await refresh(store, id, 0, R + 9 * HOUR, {}, other)
    matches(done, {
      is: 'replayed',
      record: {
        generation: 1,
        hash: hashOf('secret 1'),
        rotationKey: 1,
        macKey: 1,
        handedOutAtMs: R + 9 * HOUR,
        rotatedAtMs: R,
      },
      previousOrigin: { ip: '198.51.100.7' },
    })
    // A replay counts as handing out: the successor is not rotated within the grace after it.
    matches(await refresh(store, id, 1, R + 9 * HOUR + GRACE - 1), { is: 'current' })
    matches(await refresh(store, id, 1, R + 9 * HOUR + GRACE), {
      is: 'rotated',
      record: { generation: 2 },
    })
  })

  for (const seen of ['the refresh token', 'an access token'] as const) {
    test(`rows 4 and 5: the grace counts from the first use of the successor (${seen})`, async () => {
      for (const [afterMs, expected] of [
        [GRACE - 1, 'replayed'],
        [GRACE, 'reused'],
      ] as const) {
        const id = await rotatedOnce()
        const firstUse = R + GRACE - 1
        if (seen === 'an access token') await confirm(id, 1, firstUse)
        else matches(await refresh(store, id, 1, firstUse), { is: 'current' })
        await confirm(id, 1, firstUse + 5) // a second use moves nothing
        matches(await refresh(store, id, 0, firstUse + afterMs), { is: expected })
        equals(await endedBy(store, id), expected === 'reused' ? 'reused' : 'live')
      }
    })
  }

  test('row 4: more than five late replays demand a step-up and change nothing', async () => {
    const id = await rotatedOnce()
    for (let i = 0; i < 3; i++) {
      const early = await refresh(store, id, 0, R + GRACE - 1)
      matches(early, { is: 'replayed', record: { replays: 0 } })
    }
    for (let i = 0; i < 5; i++) {
      const late = await refresh(store, id, 0, R + GRACE + i)
      matches(late, { is: 'replayed', record: { replays: i + 1 } })
    }
    const record = await live(store, id)
    equals(await refresh(store, id, 0, R + GRACE + 9), { is: 'too_many_replays', record })
    equals(await live(store, id), record)
    // The next generation starts at none.
    matches(await refresh(store, id, 1, R + HOUR), { is: 'rotated', record: { replays: 0 } })
  })

  test('row 5: strict mode takes every replay for reuse, also within the grace', async () => {
    const id = await rotatedOnce()
    matches(await refresh(store, id, 0, R + 1, { replay: 'never' }), { is: 'reused' })
    equals(await endedBy(store, id), 'reused')
    matches(await refresh(store, id, 1, R + 2, { replay: 'never' }), { is: 'ended' })
  })

  test('row 6: two generations back is reuse, whatever was seen', async () => {
    const id = await rotatedOnce()
    matches(await refresh(store, id, 1, R + HOUR), { is: 'rotated' })
    const before = await live(store, id)
    matches(await refresh(store, id, 0, R + HOUR + 1), { is: 'reused', record: before })
    equals(await endedBy(store, id), 'reused')
  })

  for (const generation of [0, 1]) {
    test(`row 7: generation ${generation} with another secret is a fork`, async () => {
      const id = await rotatedOnce()
      const record = await live(store, id)
      const fork = presented(generation, 'of another branch')
      const done = await sessions.rotate(id, fork, successorOf(generation), rotationRule, R + HOUR)
      matches(done, { is: 'rolled_back', record })
      equals(await endedBy(store, id), 'rolled_back')
    })
  }

  test('row 8: a newer token than the stored one means that the store was rolled back', async () => {
    const id = await rotatedOnce()
    const record = await live(store, id)
    matches(await refresh(store, id, 2, R + HOUR), { is: 'rolled_back', record })
    equals(await endedBy(store, id), 'rolled_back')
  })

  test('row 9: absent, or ended with the reason of the tombstone', async () => {
    equals(await refresh(store, sessionId(subjectRef()), 0, R), { is: 'unknown' })
    const { id } = await start()
    await sessions.end(id, 'logout', { unknownUntilMs: 0, stamped: false }, T + 1)
    matches(await refresh(store, id, 0, R), { is: 'ended', tombstone: { why: 'logout' } })
  })

  test('the refresh token has a deadline of its own', async () => {
    const { id, refreshAtMs } = await created(store, subjectRef(), { idleAtMs: T + 3 * DAY })
    matches(await refresh(store, id, 0, refreshAtMs), { is: 'expired' })
    matches(await refresh(store, id, 0, refreshAtMs - 1), { is: 'rotated' })
  })

  test('a refresh counts as use only where the rule says so, and moves the deadlines forward only', async () => {
    const use = { idleAtMs: R + DAY, persistentIdleAtMs: R + 3 * DAY }
    for (const persistent of [false, true]) {
      const { id } = await created(store, subjectRef(), { persistent, idleAtMs: T + DAY })
      const untouched = { lastSeenAtMs: T, idleAtMs: T + DAY }
      matches(await refresh(store, id, 0, R), { is: 'rotated', record: untouched })
      matches(await refresh(store, id, 0, R + 1, { use: { idleAtMs: R, persistentIdleAtMs: R } }), {
        is: 'replayed',
        record: { lastSeenAtMs: R + 1, idleAtMs: T + DAY },
      })
      const moved = { lastSeenAtMs: R + 2, idleAtMs: persistent ? R + 3 * DAY : R + DAY }
      matches(await refresh(store, id, 1, R + 2, { use }), { is: 'current', record: moved })
      const far = { idleAtMs: R + 90 * DAY, persistentIdleAtMs: R + 90 * DAY }
      matches(await refresh(store, id, 1, R + HOUR, { use: far }), {
        is: 'rotated',
        record: { idleAtMs: T + 7 * DAY, absoluteAtMs: T + 7 * DAY },
      })
    }
  })

  test('a session at or below the floor is not rotated', async () => {
    const { id } = await start()
    matches(await refresh(store, id, 0, R, { floorMs: T }), { is: 'expired' })
    matches(await refresh(store, id, 0, R, { floorMs: T - 1 }), { is: 'rotated' })
  })

  test('a confirmation counts for its own generation only', async () => {
    const id = await rotatedOnce()
    await confirm(id, 0, R + 1)
    await confirm(id, 2, R + 1)
    matches(await live(store, id), { confirmedAtMs: 0 })
    matches(await refresh(store, id, 0, R + HOUR), { is: 'replayed' })
    await confirm(id, 1, R + HOUR)
    matches(await live(store, id), { confirmedAtMs: R + HOUR })
  })

  test('sixteen refreshes at once rotate once, and all end with the same successor', async () => {
    const { id } = await start()
    const answers = await Promise.all(Array.from({ length: 16 }, () => refresh(store, id, 0, R)))
    equals(answers.filter((answer) => answer.is === 'rotated').length, 1)
    equals(answers.filter((answer) => answer.is === 'replayed').length, 15)
    for (const answer of answers) matches(answer, { record: { generation: 1, hash: hashOf('secret 1') } })
    matches(await refresh(store, id, 1, R + GRACE), { is: 'rotated' })
  })

  test('refresh and end at the same time: after the end nothing works', async () => {
    for (let i = 0; i < 5; i++) {
      const { id } = await start()
      await Promise.all([
        refresh(store, id, 0, R),
        sessions.end(id, 'logout', { unknownUntilMs: T + DAY, stamped: false }, R),
        sessions.touch(id, { idleAtMs: R + MINUTE }, R),
        sessions.update(id, { data: '1' }, 1, R),
      ])
      equals(await endedBy(store, id), 'logout')
      matches(await refresh(store, id, 1, R + 1), { is: 'ended' })
    }
  })
}
