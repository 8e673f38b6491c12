import { randomBytes } from 'node:crypto'
import { expect } from 'vitest'
import { type Bench, hashOf, MINUTE, T } from './kit.ts'

const UNTIL = T + 20 * MINUTE
/** Parallel redemptions: 1 000 rounds in the long form (ASVS 6.5.1). */
const ROUNDS = process.env.COUNTERSIGN_LONG === '1' ? 1_000 : 50

const bytesOf = (text: string) => new Uint8Array(Buffer.from(text))
const textOf = (bytes: Uint8Array | null) => bytes && Buffer.from(bytes).toString()
const fresh = () => new Uint8Array(randomBytes(32))

export function onceCases({ store, test, open }: Bench): void {
  const { once } = store
  const put = async (text: string, place = fresh(), untilMs = UNTIL) => {
    const hash = fresh()
    await once.put(place, { hash, bytes: bytesOf(text) }, untilMs)
    return { place, hash }
  }

  test('once: what was put is seen until it is taken, and taken once', async () => {
    const { place, hash } = await put('value')
    expect(textOf(await once.look(place, hash, T))).toBe('value')
    expect(textOf(await once.look(place, hash, T))).toBe('value')
    expect(textOf(await once.take(place, hash, T))).toBe('value')
    expect(await once.take(place, hash, T)).toBeNull()
    expect(await once.look(place, hash, T)).toBeNull()
  })

  test('once: another hash sees nothing and takes nothing away', async () => {
    const { place, hash } = await put('value')
    expect(await once.look(place, fresh(), T)).toBeNull()
    expect(await once.take(place, fresh(), T)).toBeNull()
    expect(await once.take(fresh(), hash, T)).toBeNull()
    expect(textOf(await once.take(place, hash, T))).toBe('value')
  })

  test('once: a new value for a place voids the one before', async () => {
    const first = await put('first')
    const second = await put('second', first.place)
    expect(await once.look(first.place, first.hash, T)).toBeNull()
    expect(await once.take(first.place, first.hash, T)).toBeNull()
    expect(textOf(await once.take(second.place, second.hash, T))).toBe('second')
    expect(await once.take(first.place, first.hash, T)).toBeNull()
  })

  test('once: over at its time, not a millisecond later', async () => {
    const { place, hash } = await put('value')
    expect(await once.take(place, hash, UNTIL)).toBeNull()
    expect(await once.look(place, hash, UNTIL)).toBeNull()
    const other = await put('other')
    expect(textOf(await once.take(other.place, other.hash, UNTIL - 1))).toBe('other')
  })

  test('once: every byte comes back, none and 32 KiB of them', async () => {
    for (const bytes of [
      new Uint8Array(),
      Uint8Array.from({ length: 256 }, (_, i) => i),
      new Uint8Array(32_768).fill(255),
    ]) {
      const [place, hash] = [fresh(), fresh()]
      await once.put(place, { hash, bytes }, UNTIL)
      expect(Buffer.from((await once.look(place, hash, T))!).equals(bytes)).toBe(true)
      expect(Buffer.from((await once.take(place, hash, T))!).equals(bytes)).toBe(true)
    }
  })

  test('once: of twenty takes at once exactly one wins, in every round', async () => {
    for (let round = 0; round < ROUNDS; round++) {
      const { place, hash } = await put(`round ${round}`)
      const answers = await Promise.all(Array.from({ length: 20 }, () => once.take(place, hash, T)))
      expect(answers.filter((answer) => answer !== null).map(textOf)).toEqual([`round ${round}`])
    }
  })

  test('once: an id is claimed by exactly one, in its scope, until it is over', async () => {
    const id = randomBytes(12).toString('hex')
    const claims = await Promise.all(Array.from({ length: 20 }, () => once.claim('client:a', id, T + MINUTE, T)))
    expect(claims.filter(Boolean)).toHaveLength(1)
    expect(await once.claim('client:b', id, T + MINUTE, T)).toBe(true)
    expect(await once.claim('client:a', id, T + 2 * MINUTE, T + MINUTE - 1)).toBe(false)
    expect(await once.claim('client:a', id, T + 2 * MINUTE, T + MINUTE)).toBe(true)
    expect(await once.claim('client:a', id, T + 3 * MINUTE, T + MINUTE)).toBe(false)
  })

  test('once: scopes and ids with odd characters are kept apart', async () => {
    const base = randomBytes(6).toString('hex')
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
    for (const [scope, id] of pairs) expect(await once.claim(scope, id, UNTIL, T)).toBe(true)
    for (const [scope, id] of pairs) expect(await once.claim(scope, id, UNTIL, T)).toBe(false)
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
      await expect(call()).rejects.toMatchObject(invalid)
    }
  })

  test('reopening finds one-time tokens and claims, and what was taken stays taken', async () => {
    const own = await open()
    try {
      if (!own.reopen) throw new Error('this store is not opened again: say so in `skip`')
      await own.store.lifecycle.ready('fingerprint-a')
      const [place, hash, gone] = [fresh(), fresh(), fresh()]
      const value = { hash, bytes: bytesOf('kept') }
      await own.store.once.put(place, value, UNTIL)
      await own.store.once.put(gone, value, UNTIL)
      await own.store.once.take(gone, hash, T)
      await own.store.once.claim('scope', 'id', UNTIL, T)
      const again = await own.reopen()
      await again.lifecycle.ready('fingerprint-a')
      expect(await again.once.take(gone, hash, T)).toBeNull()
      expect(textOf(await again.once.take(place, hash, T))).toBe('kept')
      expect(await again.once.claim('scope', 'id', UNTIL, T)).toBe(false)
    } finally {
      await own.dispose()
    }
  })

  test('sweep: one-time tokens and claims that are over go, and no others', async () => {
    const own = await open()
    try {
      await own.store.lifecycle.ready('fingerprint-a')
      const { sessions } = own.store
      const [old, current] = [fresh(), fresh()]
      const value = { hash: hashOf('x'), bytes: bytesOf('v') }
      await own.store.once.put(old, value, T + 1)
      await own.store.once.put(current, value, UNTIL)
      await own.store.once.claim('s', 'old', T + 1, T)
      await own.store.once.claim('s', 'current', UNTIL, T)
      if (sessions.sweep) {
        expect(await sessions.sweep(T + 1, 1)).toBe(1)
        expect(await sessions.sweep(T + 1, 10)).toBe(1)
        expect(await sessions.sweep(T + 1, 10)).toBe(0)
      }
      expect(textOf(await own.store.once.look(current, value.hash, T))).toBe('v')
      expect(await own.store.once.claim('s', 'current', UNTIL, T)).toBe(false)
      expect(await own.store.once.look(old, value.hash, T + 1)).toBeNull()
      expect(await own.store.once.claim('s', 'old', UNTIL, T + 1)).toBe(true)
    } finally {
      await own.dispose()
    }
  })
}
