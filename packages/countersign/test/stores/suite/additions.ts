import { expect } from 'vitest'
import {
  type Bench,
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
} from './kit.ts'

/** Records that a newer release wrote: this one reads them, and nothing that it does loses what it does not know. */
export function additionCases({ store, test }: Bench): void {
  const { sessions } = store
  const more = { format: 1 + 16, text: JSON.stringify({ probe: ['', { 'ü"\u0000': 1 }] }) }

  test('what a newer release has added survives every step, and goes over to the new id', async () => {
    const ref = subjectRef()
    const record = await created(store, ref, { more, dataVersion: 3 })
    expect(record).toMatchObject({ more, dataVersion: 3 })
    const [untouched] = (await sessions.list(ref, null, { limit: 9, floorMs: 0 }, T)).items
    expect(untouched).toEqual(record)
    await sessions.touch(record.id, { idleAtMs: T + DAY, generation: 0 }, T + MINUTE)
    await sessions.setRoles(ref, ['admin'], T + MINUTE)
    expect(await refresh(store, record.id, 0, T + GRACE + MINUTE)).toMatchObject({ is: 'rotated', record: { more } })
    expect(await refresh(store, record.id, 0, T + GRACE + MINUTE)).toMatchObject({ is: 'replayed', record: { more } })
    const change = { data: '{"items":[1]}', dataVersion: 4 }
    expect(await sessions.update(record.id, change, 1, T + MINUTE)).toMatchObject({ is: 'stored', record: { more } })
    expect(await live(store, record.id)).toMatchObject({ more, ...change, generation: 1, roles: ['admin'] })

    const next = recordOf(ref, { dataVersion: 9 })
    const replaced = await sessions.replace(record.id, next, replaceRule, T + 2 * MINUTE)
    expect(replaced).toMatchObject({ is: 'replaced', record: { id: next.id, more, ...change } })
    expect(await live(store, next.id)).toMatchObject({ more, ...change })
  })

  test('a newer format without anything added stays what it is', async () => {
    const record = await created(store, subjectRef(), { more: { format: 1 + 5 * 16, text: '' } })
    expect(record.more).toEqual({ format: 81, text: '' })
    await sessions.update(record.id, { data: '1' }, 1, T)
    expect((await live(store, record.id)).more).toEqual({ format: 81, text: '' })
  })

  test('the version of the data is that of the last update, and absent is 1', async () => {
    const ref = subjectRef()
    const record = await created(store, ref)
    expect(record).not.toHaveProperty('dataVersion')
    expect(record).not.toHaveProperty('more')
    await sessions.update(record.id, { data: '1', dataVersion: 2 }, 1, T)
    expect(await live(store, record.id)).toMatchObject({ data: '1', dataVersion: 2 })
    await sessions.update(record.id, { data: '2' }, 2, T)
    expect(await live(store, record.id)).not.toHaveProperty('dataVersion')
    const next = recordOf(ref, { dataVersion: 7, more })
    await sessions.replace(record.id, next, replaceRule, T)
    expect(await live(store, next.id)).not.toHaveProperty('dataVersion')
    // The old one had nothing to carry.
    expect(await live(store, next.id)).toMatchObject({ more })
    expect(await sessions.create(recordOf(ref, { dataVersion: 65_535 }), createRule, T)).toMatchObject({
      is: 'created',
    })
  })
}
