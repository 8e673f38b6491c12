import { ok, rejects } from 'node:assert/strict'
import { toBase64url } from '../../internal/bytes.ts'
import { systemRuntime } from '../../internal/runtime.ts'
import type { Store } from '../../stores/contract.ts'
import { equals } from '../checks.ts'
import { type Bench, begin } from './bench.ts'
import { hashOf, MINUTE, T } from './samples.ts'

const UNTIL = T + 20 * MINUTE

const { random } = systemRuntime
const bytesOf = (text: string) => new Uint8Array(Buffer.from(text))
const textOf = (bytes: Uint8Array | null) => bytes && Buffer.from(bytes).toString()
const fresh = () => random(32)

/** What may happen once: one-time tokens and claims. */
export function onceCases({ store, rounds, test, open }: Bench): void {
  const { once } = store
  const put = async (text: string, place = fresh(), untilMs = UNTIL) => {
    const hash = fresh()
    await once.put(place, { hash, bytes: bytesOf(text) }, untilMs)
    return { place, hash }
  }

  test('once: what was put is seen until it is taken, and taken once', async () => {
    const { place, hash } = await put('value')
    equals(textOf(await once.look(place, hash, T)), 'value')
    equals(textOf(await once.look(place, hash, T)), 'value')
    equals(textOf(await once.take(place, hash, T)), 'value')
    equals(await once.take(place, hash, T), null)
    equals(await once.look(place, hash, T), null)
  })

  test('once: another hash sees nothing and takes nothing away', async () => {
    const { place, hash } = await put('value')
    equals(await once.look(place, fresh(), T), null)
    equals(await once.take(place, fresh(), T), null)
    equals(await once.take(fresh(), hash, T), null)
    equals(textOf(await once.take(place, hash, T)), 'value')
  })

  test('once: a new value for a place voids the one before', async () => {
    const first = await put('first')
    const second = await put('second', first.place)
    equals(await once.look(first.place, first.hash, T), null)
    equals(await once.take(first.place, first.hash, T), null)
    equals(textOf(await once.take(second.place, second.hash, T)), 'second')
    equals(await once.take(first.place, first.hash, T), null)
  })

  test('once: over at its time, not a millisecond later', async () => {
    const { place, hash } = await put('value')
    equals(await once.take(place, hash, UNTIL), null)
    equals(await once.look(place, hash, UNTIL), null)
    const other = await put('other')
    equals(textOf(await once.take(other.place, other.hash, UNTIL - 1)), 'other')
  })

  test('once: every byte comes back, none and 32 KiB of them', async () => {
    for (const bytes of [
      new Uint8Array(),
      Uint8Array.from({ length: 256 }, (_, i) => i),
      new Uint8Array(32_768).fill(255),
    ]) {
      const [place, hash] = [fresh(), fresh()]
      await once.put(place, { hash, bytes }, UNTIL)
      ok(Buffer.from((await once.look(place, hash, T))!).equals(bytes))
      ok(Buffer.from((await once.take(place, hash, T))!).equals(bytes))
    }
  })

  test('once: of twenty takes at once exactly one wins, in every round', async () => {
    for (let round = 0; round < rounds; round++) {
      const { place, hash } = await put(`round ${round}`)
      const answers = await Promise.all(Array.from({ length: 20 }, () => once.take(place, hash, T)))
      equals(answers.filter((answer) => answer !== null).map(textOf), [`round ${round}`])
    }
  })

  test('once: an id is claimed by exactly one, in its scope, until it is over', async () => {
    const id = toBase64url(random(12))
    const claims = await Promise.all(Array.from({ length: 20 }, () => once.claim('client:a', id, T + MINUTE, T)))
    equals(claims.filter(Boolean).length, 1)
    ok(await once.claim('client:b', id, T + MINUTE, T))
    equals(await once.claim('client:a', id, T + 2 * MINUTE, T + MINUTE - 1), false)
    ok(await once.claim('client:a', id, T + 2 * MINUTE, T + MINUTE))
    equals(await once.claim('client:a', id, T + 3 * MINUTE, T + MINUTE), false)
  })

  test('once: scopes and ids with odd characters are kept apart', async () => {
    const base = toBase64url(random(6))
    const pairs = [
      ['a', `b${base}`],
      ['ab', base],
      [`a:${base}`, 'b'],
      ['a', `${base}:b`],
      [`${base}"`, "o'neill"],
      [base, 'nul\u0000'],
      [base, 'nul'],
      [base, '😀'],
    ] as const
    for (const [scope, id] of pairs) ok(await once.claim(scope, id, UNTIL, T))
    for (const [scope, id] of pairs) equals(await once.claim(scope, id, UNTIL, T), false)
  })

  test('once: arguments of another form are refused', async () => {
    const [place, hash] = [fresh(), fresh()]
    const invalid = { code: 'ERR_INPUT_INVALID' }
    for (const call of [
      () => once.put(new Uint8Array(31), { hash, bytes: bytesOf('x') }, UNTIL),
      () => once.put(place, { hash: new Uint8Array(33), bytes: bytesOf('x') }, UNTIL),
      () => once.put(place, { hash, bytes: new Uint8Array(32_769) }, UNTIL),
      () => once.claim('', 'x', UNTIL, T),
      () => once.claim('x', '', UNTIL, T),
      () => once.claim('x', 'y'.repeat(1_025), UNTIL, T),
      () => once.claim('x', '\ud800', UNTIL, T),
    ]) {
      await rejects(call(), invalid)
    }
  })

  test('reopening finds one-time tokens and claims, and what was taken stays taken', async () => {
    const own = await open()
    try {
      if (!own.reopen) throw new Error('this store is not opened again: say so in `skip`')
      await begin(own.store)
      const [place, hash, gone] = [fresh(), fresh(), fresh()]
      const value = { hash, bytes: bytesOf('kept') }
      await own.store.once.put(place, value, UNTIL)
      await own.store.once.put(gone, value, UNTIL)
      await own.store.once.take(gone, hash, T)
      await own.store.once.claim('scope', 'id', UNTIL, T)
      const again = await own.reopen()
      await begin(again)
      equals(await again.once.take(gone, hash, T), null)
      equals(textOf(await again.once.take(place, hash, T)), 'kept')
      equals(await again.once.claim('scope', 'id', UNTIL, T), false)
    } finally {
      await own.dispose()
    }
  })

  test('sweep: one-time tokens and claims that are over go, and no others', async () => {
    const own = await open()
    try {
      await begin(own.store)
      const { sessions } = own.store as Partial<Store>
      const [old, current] = [fresh(), fresh()]
      const value = { hash: hashOf('x'), bytes: bytesOf('v') }
      await own.store.once.put(old, value, T + 1)
      await own.store.once.put(current, value, UNTIL)
      await own.store.once.claim('s', 'old', T + 1, T)
      await own.store.once.claim('s', 'current', UNTIL, T)
      if (sessions?.sweep) {
        equals(await sessions.sweep(T + 1, 1), 1)
        equals(await sessions.sweep(T + 1, 10), 1)
        equals(await sessions.sweep(T + 1, 10), 0)
      }
      equals(textOf(await own.store.once.look(current, value.hash, T)), 'v')
      equals(await own.store.once.claim('s', 'current', UNTIL, T), false)
      equals(await own.store.once.look(old, value.hash, T + 1), null)
      ok(await own.store.once.claim('s', 'old', UNTIL, T + 1))
    } finally {
      await own.dispose()
    }
  })
}
