import { CountersignError } from 'countersign'
import { expect } from 'vitest'
import {
  type Bench,
  created,
  createRule,
  endRule,
  hashOf,
  live,
  recordOf,
  refresh,
  sessionId,
  subjectRef,
  T,
} from './kit.ts'

/** Values of every kind, and the life of a store. */
export function generalCases({ store, test, open }: Bench): void {
  const { sessions, lifecycle } = store
  const odd = `o'neill "q" \\ \u0000 \u2028 😀 e\u0301 漢字 ${'\u{1F468}\u200D\u{1F469}'}`

  test('strings with quotes, NUL, emoji and combining marks come back as they were', async () => {
    const ref = subjectRef(odd, `tenant ${odd}`)
    const record = await created(store, ref, {
      acr: odd,
      amr: [odd],
      audience: [odd, 'b'],
      clientId: odd,
      device: { id: odd, label: odd, class: 'cli' },
      data: JSON.stringify({ [odd]: odd }),
      roles: ['rôle "1"'],
      operations: [odd],
      origin: { ip: '2001:db8::1', userAgent: odd },
    })
    expect(record).toEqual({
      ...recordOf(ref),
      ...record,
      subject: odd,
      tenant: `tenant ${odd}`,
      device: { id: odd, label: odd, class: 'cli' },
      origin: { ip: '2001:db8::1', userAgent: odd },
    })
    expect(JSON.parse(record.data!)).toEqual({ [odd]: odd })
    expect(await sessions.update(record.id, { data: '1', operationId: odd }, 1, T)).toMatchObject({ is: 'repeated' })
    const reason = odd.slice(0, 40)
    await sessions.end(record.id, reason, endRule, T + 1)
    expect(await sessions.read(record.id)).toMatchObject({ is: 'ended', tombstone: { why: reason } })
    expect(await sessions.subject(ref, T)).toMatchObject({ live: 0 })
  })

  test('an id that nobody made is unknown', async () => {
    const { tag } = subjectRef()
    for (const tail of [`'; DROP TABLE sessions`, `😀`, '\u0000', '*', '', 'x'.repeat(2_000)]) {
      expect(await sessions.read((tag + tail) as typeof tag & ReturnType<typeof sessionId>)).toEqual({ is: 'unknown' })
    }
  })

  test('100 kB of data', async () => {
    const data = JSON.stringify({ text: '"ü😀\\'.repeat(13_000) })
    expect(Buffer.byteLength(data)).toBeGreaterThan(100_000)
    const record = await created(store, subjectRef(), { data })
    expect(record.data).toBe(data)
    const more = JSON.stringify({ text: '\u0000é'.repeat(30_000) })
    expect(await sessions.update(record.id, { data: more }, 1, T + 1)).toMatchObject({
      is: 'stored',
      record: { data: more },
    })
    expect((await live(store, record.id)).data).toBe(more)
    expect((await sessions.list(subjectRef(), null, { limit: 1, floorMs: 0 }, T)).items).toEqual([])
  })

  test('every acknowledged write says how durable it is', async () => {
    const ref = subjectRef()
    const record = recordOf(ref)
    const answers = [
      await sessions.create(record, createRule, T),
      await sessions.update(record.id, { data: '1' }, 1, T),
      await refresh(store, record.id, 0, T + 60_000),
      await sessions.replace(record.id, recordOf(ref), { accessMs: 0, floorMs: 0 }, T + 60_000),
      await sessions.end(record.id, 'logout', endRule, T + 60_000),
      await sessions.setRoles(ref, [], T + 60_000),
      await sessions.endSubject(ref, 'logout', {}, T + 60_000),
      await store.revocations.deny(ref, 'j', T + 60_000, T),
    ]
    for (const answer of answers)
      expect(answer).toHaveProperty('durability', expect.stringMatching(/^(replicated|fsynced|local)$/))
  })

  test('the time is about right, and never goes back', async () => {
    const first = lifecycle.nowMs()
    expect(Math.abs(first - Date.now())).toBeLessThan(60_000)
    expect(Number.isInteger(first)).toBe(true)
    for (let i = 0, last = first; i < 1_000; i++) {
      const next = lifecycle.nowMs()
      expect(next).toBeGreaterThanOrEqual(last)
      last = next
    }
  })

  test('ready: the store belongs to one placement key', async () => {
    const own = await open()
    try {
      await own.store.lifecycle.ready('fingerprint-a')
      await own.store.lifecycle.ready('fingerprint-a')
      expect(own.store.lifecycle.health().up).toBe(true)
      await expect(own.store.lifecycle.ready('fingerprint-b')).rejects.toMatchObject({
        code: 'ERR_STORE_MISCONFIGURED',
      })
      if (own.reopen) {
        const again = await own.reopen()
        await expect(again.lifecycle.ready('fingerprint-b')).rejects.toMatchObject({ code: 'ERR_STORE_MISCONFIGURED' })
        await again.lifecycle.ready('fingerprint-a')
      }
    } finally {
      await own.dispose()
    }
  })

  test('reopening finds everything', async () => {
    const own = await open()
    try {
      if (!own.reopen) throw new Error('this store is not opened again: say so in `skip`')
      await own.store.lifecycle.ready('fingerprint-a')
      const ref = subjectRef()
      const record = await created(own.store, ref)
      await own.store.sessions.setRoles(ref, ['user', 'x'], T + 1)
      const gone = await created(own.store, ref)
      await own.store.sessions.end(gone.id, 'logout', endRule, T + 2)
      const before = [await own.store.sessions.subject(ref, T), await own.store.sessions.floor()]
      const again = await own.reopen()
      await again.lifecycle.ready('fingerprint-a')
      expect(await live(again, record.id)).toMatchObject({ pendingRoles: ['user', 'x'] })
      expect(await again.sessions.read(gone.id)).toMatchObject({ is: 'ended', tombstone: { why: 'logout' } })
      expect([await again.sessions.subject(ref, T), await again.sessions.floor()]).toEqual(before)
    } finally {
      await own.dispose()
    }
  })

  test('close: may be called twice, and every call after it is refused', async () => {
    const own = await open()
    try {
      const { sessions, accounts, revocations, once, lifecycle } = own.store
      await lifecycle.ready('fingerprint-a')
      const ref = subjectRef()
      const underWay = sessions.create(recordOf(ref), createRule, T)
      await Promise.all([lifecycle.close(), lifecycle.close()])
      await lifecycle.close()
      expect(await underWay).toMatchObject({ is: 'created' })
      expect(lifecycle.health().up).toBe(false)
      const id = sessionId(ref)
      for (const call of [
        () => sessions.create(recordOf(ref), createRule, T),
        () => sessions.read(id),
        () => sessions.update(id, { data: '1' }, 1, T),
        () => sessions.touch(id, { idleAtMs: T }, T),
        () => refresh(own.store, id, 0, T),
        () => sessions.end(id, 'logout', endRule, T),
        () => sessions.endSubject(ref, 'logout', {}, T),
        () => sessions.setRoles(ref, [], T),
        () => sessions.subject(ref, T),
        () => sessions.list(ref, null, { limit: 1, floorMs: 0 }, T),
        () => sessions.floor(),
        () => sessions.raiseFloor('admin', T),
        () => revocations.read(ref.tag),
        () => revocations.deny(ref, 'j', T, T),
        () => accounts.bySubject(ref),
        () => accounts.subjectOf({ identifier: 'a' }),
        () => once.put(hashOf('p'), { hash: hashOf('h'), bytes: new Uint8Array() }, T),
        () => once.look(hashOf('p'), hashOf('h'), T),
        () => once.take(hashOf('p'), hashOf('h'), T),
        () => once.claim('s', 'i', T, T),
        () => lifecycle.ready('fingerprint-a'),
      ]) {
        const error = await call().then(
          () => undefined,
          (thrown: unknown) => thrown,
        )
        expect(error).toBeInstanceOf(CountersignError)
        expect(error).toMatchObject({ code: 'ERR_CLOSED' })
      }
    } finally {
      await own.dispose()
    }
  })
}
