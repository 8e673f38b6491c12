import { match, ok } from 'node:assert/strict'
import { equals, matches } from '../checks.ts'
import { type Bench, begin } from './bench.ts'
import {
  created,
  createRule,
  endedBy,
  endRule,
  live,
  MINUTE,
  recordOf,
  refresh,
  type sessionId,
  subjectRef,
  T,
} from './samples.ts'

/** Values of every kind, what every write says, and what a sweep leaves. */
export function valueCases({ store, test, open }: Bench): void {
  const { sessions } = store
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
    equals(record, {
      ...recordOf(ref),
      ...record,
      subject: odd,
      tenant: `tenant ${odd}`,
      device: { id: odd, label: odd, class: 'cli' },
      origin: { ip: '2001:db8::1', userAgent: odd },
    })
    equals(JSON.parse(record.data!), { [odd]: odd })
    matches(await sessions.update(record.id, { data: '1', operationId: odd }, 1, T), { is: 'repeated' })
    const reason = odd.slice(0, 40)
    await sessions.end(record.id, reason, endRule, T + 1)
    matches(await sessions.read(record.id), { is: 'ended', tombstone: { why: reason } })
    matches(await sessions.subject(ref, T), { live: 0 })
  })

  test('an id that nobody made is unknown', async () => {
    const { tag } = subjectRef()
    for (const tail of [`'; DROP TABLE sessions`, `😀`, '\u0000', '*', '', 'x'.repeat(2_000)]) {
      equals(await sessions.read((tag + tail) as typeof tag & ReturnType<typeof sessionId>), { is: 'unknown' })
    }
  })

  test('100 kB of data', async () => {
    const data = JSON.stringify({ text: '"ü😀\\'.repeat(13_000) })
    ok(Buffer.byteLength(data) > 100_000)
    const record = await created(store, subjectRef(), { data })
    equals(record.data, data)
    const more = JSON.stringify({ text: '\u0000é'.repeat(30_000) })
    matches(await sessions.update(record.id, { data: more }, 1, T + 1), {
      is: 'stored',
      record: { data: more },
    })
    equals((await live(store, record.id)).data, more)
    equals((await sessions.list(subjectRef(), null, { limit: 1, floorMs: 0 }, T)).items, [])
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
    ]
    for (const answer of answers) {
      match(String('durability' in answer && answer.durability), /^(replicated|fsynced|local)$/)
    }
  })

  test('sweep: takes what is over, never more than was asked for, and nothing that can still be referred to', async () => {
    const own = await open()
    try {
      await begin(own.store)
      const { sessions } = own.store
      const ref = subjectRef()
      const kept = await created(own.store, ref)
      const buried = await created(own.store, ref)
      await sessions.end(buried.id, 'logout', endRule, T)
      const brief = { idleAtMs: T + MINUTE, absoluteAtMs: T + MINUTE, refreshAtMs: T + MINUTE }
      const over = [await created(own.store, ref, brief), await created(own.store, subjectRef(), brief)]
      const overAtMs = over[0]!.lastExpMs
      const sweepAll = async (nowMs: number) => {
        for (let gone = -1, turn = 0; sessions.sweep && gone !== 0 && turn < 100; turn++) {
          gone = await sessions.sweep(nowMs, 1)
          ok(gone <= 1)
        }
      }
      await sweepAll(overAtMs - 1)
      for (const record of over) equals(await live(own.store, record.id), record)
      await sweepAll(overAtMs)
      // A store that expires what it keeps by its own clock has no sweep, and its time may not have come.
      if (sessions.sweep) for (const { id } of over) equals(await sessions.read(id), { is: 'unknown' })
      equals(await live(own.store, kept.id), kept)
      equals(await endedBy(own.store, buried.id), 'logout')
    } finally {
      await own.dispose()
    }
  })
}
