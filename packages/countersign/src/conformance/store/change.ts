import type { LastRead } from '../../stores/contract.ts'
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
  hashOf,
  live,
  MINUTE,
  recordOf,
  refresh,
  replaceRule,
  sessionId,
  subjectRef,
  T,
} from './samples.ts'

/** `touch`, `update`, `replace`, and that none of them revives. */
export function changeCases({ store, test }: Bench): void {
  const { sessions } = store
  const change = { data: '"changed"' }

  test('a read with the note of the last answer says what is there now, like one without', async () => {
    const ref = subjectRef()
    const { id } = await created(store, ref)
    const last: LastRead = {}
    const same = async () => equals(await sessions.read(id, last), await sessions.read(id))
    await same()
    await same()
    await sessions.update(id, change, 1, T + 1)
    await same()
    await sessions.touch(id, { idleAtMs: T + HOUR }, T + 2)
    await same()
    await refresh(store, id, 0, T + MINUTE)
    await same()
    await same()
    await sessions.end(id, 'logout', endRule, T + 2 * MINUTE)
    await same()
    equals((await sessions.read(id, last)).is, 'ended')
  })

  for (const how of ['end', 'endSubject', 'limit', 'unknown'] as const) {
    test(`nothing saved late revives a session (${how})`, async () => {
      const ref = subjectRef()
      const record = how === 'unknown' ? recordOf(ref) : await created(store, ref)
      if (how === 'end') await sessions.end(record.id, 'logout', endRule, T + 1)
      if (how === 'endSubject') await sessions.endSubject(ref, 'logout', {}, T + 1)
      if (how === 'limit') {
        const limit = { max: 1, overflow: 'evict_oldest' as const }
        await created(store, ref, { createdAtMs: T + 1 }, { limit })
      }
      const before = await sessions.read(record.id)
      equals(before.is, how === 'unknown' ? 'unknown' : 'ended')

      equals(await sessions.update(record.id, change, 1, T + 2), before)
      await sessions.touch(record.id, { idleAtMs: T + HOUR, generation: 0 }, T + 2)
      equals(await refresh(store, record.id, 0, T + MINUTE), before)
      const next = recordOf(ref)
      equals(await sessions.replace(record.id, next, replaceRule, T + 2), before)

      equals(await sessions.read(record.id), before)
      equals(await sessions.read(next.id), { is: 'unknown' })
    })
  }

  for (const deadline of ['idle', 'absolute'] as const) {
    test(`whichever comes first ends it: ${deadline}`, async () => {
      const ref = subjectRef()
      const times = deadline === 'idle' ? { idleAtMs: T + HOUR } : { idleAtMs: T + HOUR, absoluteAtMs: T + HOUR }
      const record = await created(store, ref, { ...times, refreshAtMs: T + DAY })
      const atMs = T + HOUR

      equals(await refresh(store, record.id, 0, atMs), { is: 'expired', record })
      equals(await sessions.update(record.id, change, 1, atMs), { is: 'expired', record })
      equals(await sessions.replace(record.id, recordOf(ref), replaceRule, atMs), { is: 'expired', record })
      await sessions.touch(record.id, { idleAtMs: atMs + HOUR }, atMs)
      equals(await live(store, record.id), record)

      matches(await sessions.update(record.id, change, 1, atMs - 1), { is: 'stored' })
      matches(await refresh(store, record.id, 0, atMs - 1), { is: 'rotated' })
    })
  }

  test('touch moves the idle deadline and the last use forward only', async () => {
    const record = await created(store, subjectRef())
    await sessions.touch(record.id, { idleAtMs: T + HOUR }, T + MINUTE)
    equals(await live(store, record.id), { ...record, idleAtMs: T + HOUR, lastSeenAtMs: T + MINUTE })
    await sessions.touch(record.id, { idleAtMs: T + 31 * MINUTE }, T + 1)
    equals(await live(store, record.id), { ...record, idleAtMs: T + HOUR, lastSeenAtMs: T + MINUTE })
  })

  test('touch never passes the absolute deadline', async () => {
    const record = await created(store, subjectRef(), { absoluteAtMs: T + HOUR, refreshAtMs: T + HOUR })
    await sessions.touch(record.id, { idleAtMs: T + DAY }, T + MINUTE)
    matches(await live(store, record.id), { idleAtMs: T + HOUR, absoluteAtMs: T + HOUR })
  })

  test('update: the version counts, and one that is behind is told what is there', async () => {
    const record = await created(store, subjectRef())
    const stored = { ...record, data: '"changed"', version: 2 }
    matches(await sessions.update(record.id, change, 1, T + 1), { is: 'stored', record: stored })
    equals(await sessions.update(record.id, { data: '"late"' }, 1, T + 2), { is: 'conflict', record: stored })
    equals(await sessions.update(record.id, { data: '"early"' }, 3, T + 2), { is: 'conflict', record: stored })
    equals(await live(store, record.id), stored)
  })

  test('update: of many at once with one version exactly one lands', async () => {
    const record = await created(store, subjectRef())
    const writers = Array.from({ length: 16 }, (_, i) => sessions.update(record.id, { data: `${i}` }, 1, T + 1))
    const answers = await Promise.all(writers)
    equals(answers.filter((answer) => answer.is === 'stored').length, 1)
    equals(answers.filter((answer) => answer.is === 'conflict').length, 15)
    equals((await live(store, record.id)).version, 2)
  })

  test('update: a repeated operation changes nothing, whatever the version', async () => {
    const record = await created(store, subjectRef())
    const once = { data: '"once"', operationId: 'op-1' }
    matches(await sessions.update(record.id, once, 1, T + 1), { is: 'stored' })
    const after = await live(store, record.id)
    matches(await sessions.update(record.id, { ...once, data: '"twice"' }, 1, T + 2), {
      is: 'repeated',
      record: after,
    })
    matches(await sessions.update(record.id, { ...once, data: '"twice"' }, 2, T + 2), {
      is: 'repeated',
      record: after,
    })
    equals(await live(store, record.id), after)
  })

  test('update: only the last sixteen operations are remembered', async () => {
    const record = await created(store, subjectRef())
    for (let i = 1; i <= 17; i++) {
      matches(await sessions.update(record.id, { data: `${i}`, operationId: `op-${i}` }, i, T + i), {
        is: 'stored',
      })
    }
    const { operations } = await live(store, record.id)
    equals(
      operations,
      Array.from({ length: 16 }, (_, i) => `op-${i + 2}`),
    )
    const again = (n: number) => sessions.update(record.id, { data: '0', operationId: `op-${n}` }, 18, T + 20)
    matches(await again(2), { is: 'repeated' })
    matches(await again(1), { is: 'stored' })
  })

  test('an update and a rotation at the same time both land', async () => {
    const record = await created(store, subjectRef())
    const [updated, rotated] = await Promise.all([
      sessions.update(record.id, change, 1, T + MINUTE),
      refresh(store, record.id, 0, T + MINUTE),
    ])
    equals([updated.is, rotated.is], ['stored', 'rotated'])
    matches(await live(store, record.id), { data: '"changed"', version: 2, generation: 1 })
  })

  test('replace: data, version, operations, creation time and absolute deadline go along; the rest is new', async () => {
    const ref = subjectRef()
    const old = await created(store, ref)
    await sessions.update(old.id, { data: '"cart"', operationId: 'op-1' }, 1, T + 1)
    const next = recordOf(ref, {
      createdAtMs: T + HOUR / 4,
      absoluteAtMs: T + 30 * DAY,
      refreshAtMs: T + 30 * DAY,
      data: '"wrong"',
      version: 9,
      operations: ['op-9'],
      acr: 'aal2',
      hash: hashOf('another'),
      macKey: 7,
    })
    const nowMs = T + HOUR / 4
    const expected = {
      ...next,
      data: '"cart"',
      version: 2,
      operations: ['op-1'],
      createdAtMs: T,
      absoluteAtMs: old.absoluteAtMs,
      refreshAtMs: old.absoluteAtMs,
      lastExpMs: nowMs + ACCESS,
    }
    matches(await sessions.replace(old.id, next, replaceRule, nowMs), {
      is: 'replaced',
      record: expected,
      stamp: nowMs,
    })
    equals(await live(store, next.id), expected)
    const tombstone = {
      id: old.id,
      endedAtMs: nowMs,
      why: 'replaced',
      replacedBy: next.id,
      keepUntilMs: old.refreshAtMs,
    }
    equals(await sessions.read(old.id), { is: 'ended', tombstone })
  })

  test('replace: does not count against the limit, needs a free id, and not a blocked subject', async () => {
    const ref = subjectRef()
    const limit = { max: 1, overflow: 'reject' } as const
    const old = await created(store, ref, {}, { limit })
    equals(await sessions.replace(old.id, recordOf(ref, { id: old.id }), replaceRule, T + 1), { is: 'exists' })
    const buried = sessionId(ref)
    await sessions.end(buried, 'logout', endRule, T + 1)
    equals(await sessions.replace(old.id, recordOf(ref, { id: buried }), replaceRule, T + 1), { is: 'exists' })
    equals(await live(store, old.id), old)

    const next = recordOf(ref)
    matches(await sessions.replace(old.id, next, replaceRule, T + 2), { is: 'replaced' })
    equals(await sessions.create(recordOf(ref), { ...createRule, limit }, T + 3), { is: 'limit' })

    await sessions.endSubject(ref, 'banned', { block: true, except: next.id }, T + 4)
    equals(await sessions.replace(next.id, recordOf(ref), replaceRule, T + 5), { is: 'blocked' })
    equals(await endedBy(store, next.id), 'live')
  })

  test('replace: twice from one id, once it works', async () => {
    const ref = subjectRef()
    const old = await created(store, ref)
    const nexts = [recordOf(ref), recordOf(ref)]
    const answers = await Promise.all(nexts.map((next) => sessions.replace(old.id, next, replaceRule, T + 1)))
    equals(answers.map((answer) => answer.is).sort(), ['ended', 'replaced'])
    const found = await Promise.all(nexts.map((next) => sessions.read(next.id)))
    equals(found.map((one) => one.is).sort(), ['live', 'unknown'])
  })

  test('replace: a session at or below the floor has ended', async () => {
    const ref = subjectRef()
    const old = await created(store, ref)
    const next = recordOf(ref)
    matches(await sessions.replace(old.id, next, { ...replaceRule, floorMs: T }, T + 1), { is: 'expired' })
    matches(await sessions.replace(old.id, next, { ...replaceRule, floorMs: T - 1 }, T + 1), {
      is: 'replaced',
    })
  })
}
