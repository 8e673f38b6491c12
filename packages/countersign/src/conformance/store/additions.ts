import { equals, matches } from '../checks.ts'
import type { Bench } from './bench.ts'
import {
  created,
  createRule,
  DAY,
  GRACE,
  live,
  MINUTE,
  recordOf,
  refresh,
  replaceRule,
  subjectRef,
  T,
} from './samples.ts'

/** Records that a newer release wrote: this one reads them, and nothing that it does loses what it does not know. */
export function additionCases({ store, test }: Bench): void {
  const { sessions } = store
  const more = { format: 1 + 16, text: JSON.stringify({ probe: ['', { 'ü"\u0000': 1 }] }) }

  test('what a newer release has added survives every step, and goes over to the new id', async () => {
    const ref = subjectRef()
    const record = await created(store, ref, { more, dataVersion: 3 })
    matches(record, { more, dataVersion: 3 })
    const [untouched] = (await sessions.list(ref, null, { limit: 9, floorMs: 0 }, T)).items
    equals(untouched, record)
    await sessions.touch(record.id, { idleAtMs: T + DAY, generation: 0 }, T + MINUTE)
    await sessions.setRoles(ref, ['admin'], T + MINUTE)
    matches(await refresh(store, record.id, 0, T + GRACE + MINUTE), { is: 'rotated', record: { more } })
    matches(await refresh(store, record.id, 0, T + GRACE + MINUTE), { is: 'replayed', record: { more } })
    const change = { data: '{"items":[1]}', dataVersion: 4 }
    matches(await sessions.update(record.id, change, 1, T + MINUTE), { is: 'stored', record: { more } })
    matches(await live(store, record.id), { more, ...change, generation: 1, roles: ['admin'] })

    const next = recordOf(ref, { dataVersion: 9 })
    const replaced = await sessions.replace(record.id, next, replaceRule, T + 2 * MINUTE)
    matches(replaced, { is: 'replaced', record: { id: next.id, more, ...change } })
    matches(await live(store, next.id), { more, ...change })
  })

  test('a newer format without anything added stays what it is', async () => {
    const record = await created(store, subjectRef(), { more: { format: 1 + 5 * 16, text: '' } })
    equals(record.more, { format: 81, text: '' })
    await sessions.update(record.id, { data: '1' }, 1, T)
    equals((await live(store, record.id)).more, { format: 81, text: '' })
  })

  test('the version of the data is that of the last update, and absent is 1', async () => {
    const ref = subjectRef()
    const record = await created(store, ref)
    equals(record.dataVersion, undefined)
    equals(record.more, undefined)
    await sessions.update(record.id, { data: '1', dataVersion: 2 }, 1, T)
    matches(await live(store, record.id), { data: '1', dataVersion: 2 })
    await sessions.update(record.id, { data: '2' }, 2, T)
    equals((await live(store, record.id)).dataVersion, undefined)
    const next = recordOf(ref, { dataVersion: 7, more })
    await sessions.replace(record.id, next, replaceRule, T)
    equals((await live(store, next.id)).dataVersion, undefined)
    // The old one had nothing to carry.
    matches(await live(store, next.id), { more })
    matches(await sessions.create(recordOf(ref, { dataVersion: 65_535 }), createRule, T), { is: 'created' })
  })
}
