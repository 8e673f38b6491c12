import { generateKeyring, loadKeyring, retireKey, rotateKeyring, withdrawKey } from 'countersign'
import { describe, expect, test } from 'vitest'

const states = (keys: readonly { kid: string; state: string; number?: number; alg?: string }[]) =>
  keys.map(({ state, number, alg }) => [number ?? alg, state])

describe('rotateKeyring', () => {
  test.each(['mac', 'rotation'] as const)('%s: the next number, and the old key is still accepted', async (use) => {
    const before = generateKeyring()
    const text = JSON.stringify(before)
    const { file, kid, retiring } = rotateKeyring(before, use)
    expect(states(file[use])).toEqual([
      [1, 'retiring'],
      [2, 'active'],
    ])
    expect([file[use][1]!.kid, retiring]).toEqual([kid, [before[use][0]!.kid]])
    expect(Date.parse(file[use][0]!.since!)).not.toBeNaN()
    expect(JSON.stringify(before)).toBe(text)
    const { [use]: _, ...others } = file
    expect(before).toMatchObject(others)
    await loadKeyring(file)
  })

  test('prepared first: accepted and not used; the same one is put into use', async () => {
    const prepared = rotateKeyring(generateKeyring(), 'signing', { alg: 'Ed25519', prepare: true })
    expect(states(prepared.file.signing)).toEqual([
      ['HS256', 'active'],
      ['ES256', 'active'],
      ['Ed25519', 'pending'],
    ])
    expect((await loadKeyring(prepared.file)).jwks().keys).toHaveLength(2)
    const again = rotateKeyring(prepared.file, 'signing', { alg: 'Ed25519', prepare: true })
    expect(again).toEqual({ file: prepared.file, kid: prepared.kid, retiring: [] })
    const done = rotateKeyring(prepared.file, 'signing', { alg: 'Ed25519' })
    expect(done.kid).toBe(prepared.kid)
    // HS256 does another job: nobody is shown its key.
    expect(states(done.file.signing)).toEqual([
      ['HS256', 'active'],
      ['ES256', 'retiring'],
      ['Ed25519', 'active'],
    ])
  })

  test('an old key that is still accepted is never put back into use', () => {
    let { file } = rotateKeyring(generateKeyring(), 'mac')
    for (let i = 0; i < 5; i++) file = rotateKeyring(file, 'mac').file
    expect(states(file.mac).map(([number]) => number)).toEqual([1, 2, 3, 4, 5, 6, 7])
    expect(file.mac.filter(({ state }) => state === 'active').map(({ number }) => number)).toEqual([7])
  })

  test('from HS256 to a published algorithm: the old key is withdrawn by itself, once nobody signs with it', () => {
    const { file } = rotateKeyring(generateKeyring({ signing: ['HS256'] }), 'signing', { alg: 'ES256' })
    expect(states(file.signing)).toEqual([
      ['HS256', 'active'],
      ['ES256', 'active'],
    ])
    const [hs, es] = file.signing
    const withdrawn = withdrawKey(file, hs!.kid)!
    expect(withdrawn).toMatchObject({ use: 'signing', key: hs })
    expect(states(withdrawn.file.signing)).toEqual([
      ['HS256', 'retiring'],
      ['ES256', 'active'],
    ])
    expect(withdrawn.file.signing[0]!.since).not.toBe(hs!.since)
    expect(() => withdrawKey(withdrawn.file, hs!.kid)).toThrow(/not in use/)
    expect(() => withdrawKey(withdrawn.file, es!.kid)).toThrow(/only signing key in use/)
    expect(() => withdrawKey(file, file.mac[0]!.kid)).toThrow(/only mac key in use/)
    expect(() => withdrawKey(file, file.placement.kid)).toThrow(/placement/)
    expect(withdrawKey(file, 'nobody')).toBeUndefined()
  })

  test('a number is never used again, not even a retired one', () => {
    const file = generateKeyring()
    file.mac[0]!.number = 254
    const last = rotateKeyring(file, 'mac').file
    const retired = retireKey(last, file.mac[0]!.kid)!.file
    expect(states(retired.mac)).toEqual([
      [254, 'retired'],
      [255, 'active'],
    ])
    expect(() => rotateKeyring(retired, 'mac')).toThrow(expect.objectContaining({ code: 'ERR_KEY_UNUSABLE' }))
  })

  test('what cannot be rotated or retired', () => {
    const file = generateKeyring()
    expect(() => rotateKeyring(file, 'placement' as never)).toThrow(/"use"/)
    expect(() => rotateKeyring(file, 'signing', { alg: 'RS256' as never })).toThrow(/"alg"/)
    expect(() => retireKey(file, file.placement.kid)).toThrow(/placement/)
    expect(() => retireKey(file, file.mac[0]!.kid)).toThrow(/in use/)
    expect(retireKey(file, 'nobody')).toBeUndefined()
  })
})
