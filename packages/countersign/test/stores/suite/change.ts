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
  hashOf,
  live,
  MINUTE,
  recordOf,
  refresh,
  replaceRule,
  sessionId,
  subjectRef,
  T,
} from './kit.ts'

/** `touch`, `update`, `replace`, and that none of them revives. */
export function changeCases({ store, test }: Bench): void {
  const { sessions } = store
  const change = { data: '"changed"' }

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
      expect(before.is).toBe(how === 'unknown' ? 'unknown' : 'ended')

      expect(await sessions.update(record.id, change, 1, T + 2)).toEqual(before)
      await sessions.touch(record.id, { idleAtMs: T + HOUR, generation: 0 }, T + 2)
      expect(await refresh(store, record.id, 0, T + MINUTE)).toEqual(before)
      const next = recordOf(ref)
      expect(await sessions.replace(record.id, next, replaceRule, T + 2)).toEqual(before)

      expect(await sessions.read(record.id)).toEqual(before)
      expect(await sessions.read(next.id)).toEqual({ is: 'unknown' })
    })
  }

  for (const deadline of ['idle', 'absolute'] as const) {
    test(`whichever comes first ends it: ${deadline}`, async () => {
      const ref = subjectRef()
      const times = deadline === 'idle' ? { idleAtMs: T + HOUR } : { idleAtMs: T + HOUR, absoluteAtMs: T + HOUR }
      const record = await created(store, ref, { ...times, refreshAtMs: T + DAY })
      const atMs = T + HOUR

      expect(await refresh(store, record.id, 0, atMs)).toEqual({ is: 'expired', record })
      expect(await sessions.update(record.id, change, 1, atMs)).toEqual({ is: 'expired', record })
      expect(await sessions.replace(record.id, recordOf(ref), replaceRule, atMs)).toEqual({ is: 'expired', record })
      await sessions.touch(record.id, { idleAtMs: atMs + HOUR }, atMs)
      expect(await live(store, record.id)).toEqual(record)

      expect(await sessions.update(record.id, change, 1, atMs - 1)).toMatchObject({ is: 'stored' })
      expect(await refresh(store, record.id, 0, atMs - 1)).toMatchObject({ is: 'rotated' })
    })
  }

  test('touch moves the idle deadline and the last use forward only', async () => {
    const record = await created(store, subjectRef())
    await sessions.touch(record.id, { idleAtMs: T + HOUR }, T + MINUTE)
    expect(await live(store, record.id)).toEqual({ ...record, idleAtMs: T + HOUR, lastSeenAtMs: T + MINUTE })
    await sessions.touch(record.id, { idleAtMs: T + 31 * MINUTE }, T + 1)
    expect(await live(store, record.id)).toEqual({ ...record, idleAtMs: T + HOUR, lastSeenAtMs: T + MINUTE })
  })

  test('touch never passes the absolute deadline', async () => {
    const record = await created(store, subjectRef(), { absoluteAtMs: T + HOUR, refreshAtMs: T + HOUR })
    await sessions.touch(record.id, { idleAtMs: T + DAY }, T + MINUTE)
    expect(await live(store, record.id)).toMatchObject({ idleAtMs: T + HOUR, absoluteAtMs: T + HOUR })
  })

  test('update: the version counts, and one that is behind is told what is there', async () => {
    const record = await created(store, subjectRef())
    const stored = { ...record, data: '"changed"', version: 2 }
    expect(await sessions.update(record.id, change, 1, T + 1)).toMatchObject({ is: 'stored', record: stored })
    expect(await sessions.update(record.id, { data: '"late"' }, 1, T + 2)).toEqual({ is: 'conflict', record: stored })
    expect(await sessions.update(record.id, { data: '"early"' }, 3, T + 2)).toEqual({ is: 'conflict', record: stored })
    expect(await live(store, record.id)).toEqual(stored)
  })

  test('update: of many at once with one version exactly one lands', async () => {
    const record = await created(store, subjectRef())
    const writers = Array.from({ length: 16 }, (_, i) => sessions.update(record.id, { data: `${i}` }, 1, T + 1))
    const answers = await Promise.all(writers)
    expect(answers.filter((answer) => answer.is === 'stored')).toHaveLength(1)
    expect(answers.filter((answer) => answer.is === 'conflict')).toHaveLength(15)
    expect((await live(store, record.id)).version).toBe(2)
  })

  test('update: a repeated operation changes nothing, whatever the version', async () => {
    const record = await created(store, subjectRef())
    const once = { data: '"once"', operationId: 'op-1' }
    expect(await sessions.update(record.id, once, 1, T + 1)).toMatchObject({ is: 'stored' })
    const after = await live(store, record.id)
    expect(await sessions.update(record.id, { ...once, data: '"twice"' }, 1, T + 2)).toMatchObject({
      is: 'repeated',
      record: after,
    })
    expect(await sessions.update(record.id, { ...once, data: '"twice"' }, 2, T + 2)).toMatchObject({
      is: 'repeated',
      record: after,
    })
    expect(await live(store, record.id)).toEqual(after)
  })

  test('update: only the last sixteen operations are remembered', async () => {
    const record = await created(store, subjectRef())
    for (let i = 1; i <= 17; i++) {
      expect(await sessions.update(record.id, { data: `${i}`, operationId: `op-${i}` }, i, T + i)).toMatchObject({
        is: 'stored',
      })
    }
    const { operations } = await live(store, record.id)
    expect(operations).toEqual(Array.from({ length: 16 }, (_, i) => `op-${i + 2}`))
    const again = (n: number) => sessions.update(record.id, { data: '0', operationId: `op-${n}` }, 18, T + 20)
    expect(await again(2)).toMatchObject({ is: 'repeated' })
    expect(await again(1)).toMatchObject({ is: 'stored' })
  })

  test('an update and a rotation at the same time both land', async () => {
    const record = await created(store, subjectRef())
    const [updated, rotated] = await Promise.all([
      sessions.update(record.id, change, 1, T + MINUTE),
      refresh(store, record.id, 0, T + MINUTE),
    ])
    expect([updated.is, rotated.is]).toEqual(['stored', 'rotated'])
    expect(await live(store, record.id)).toMatchObject({ data: '"changed"', version: 2, generation: 1 })
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
    expect(await sessions.replace(old.id, next, replaceRule, nowMs)).toMatchObject({
      is: 'replaced',
      record: expected,
      stamp: nowMs,
    })
    expect(await live(store, next.id)).toEqual(expected)
    const tombstone = {
      id: old.id,
      endedAtMs: nowMs,
      why: 'replaced',
      replacedBy: next.id,
      keepUntilMs: old.refreshAtMs,
    }
    expect(await sessions.read(old.id)).toEqual({ is: 'ended', tombstone })
  })

  test('replace: does not count against the limit, needs a free id, and not a blocked subject', async () => {
    const ref = subjectRef()
    const limit = { max: 1, overflow: 'reject' } as const
    const old = await created(store, ref, {}, { limit })
    expect(await sessions.replace(old.id, recordOf(ref, { id: old.id }), replaceRule, T + 1)).toEqual({ is: 'exists' })
    const buried = sessionId(ref)
    await sessions.end(buried, 'logout', endRule, T + 1)
    expect(await sessions.replace(old.id, recordOf(ref, { id: buried }), replaceRule, T + 1)).toEqual({ is: 'exists' })
    expect(await live(store, old.id)).toEqual(old)

    const next = recordOf(ref)
    expect(await sessions.replace(old.id, next, replaceRule, T + 2)).toMatchObject({ is: 'replaced' })
    expect(await sessions.create(recordOf(ref), { ...createRule, limit }, T + 3)).toEqual({ is: 'limit' })

    await sessions.endSubject(ref, 'banned', { block: true, except: next.id }, T + 4)
    expect(await sessions.replace(next.id, recordOf(ref), replaceRule, T + 5)).toEqual({ is: 'blocked' })
    expect(await endedBy(store, next.id)).toBe('live')
  })

  test('replace: twice from one id, once it works', async () => {
    const ref = subjectRef()
    const old = await created(store, ref)
    const nexts = [recordOf(ref), recordOf(ref)]
    const answers = await Promise.all(nexts.map((next) => sessions.replace(old.id, next, replaceRule, T + 1)))
    expect(answers.map((answer) => answer.is).sort()).toEqual(['ended', 'replaced'])
    const found = await Promise.all(nexts.map((next) => sessions.read(next.id)))
    expect(found.map((one) => one.is).sort()).toEqual(['live', 'unknown'])
  })

  test('replace: a session at or below the floor has ended', async () => {
    const ref = subjectRef()
    const old = await created(store, ref)
    const next = recordOf(ref)
    expect(await sessions.replace(old.id, next, { ...replaceRule, floorMs: T }, T + 1)).toMatchObject({ is: 'expired' })
    expect(await sessions.replace(old.id, next, { ...replaceRule, floorMs: T - 1 }, T + 1)).toMatchObject({
      is: 'replaced',
    })
  })
}
