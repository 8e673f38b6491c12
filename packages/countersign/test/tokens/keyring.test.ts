import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inspect } from 'node:util'
import { describe, expect, test } from 'vitest'
import { systemRuntime } from '../../src/internal/runtime.ts'
import { generateKeyring } from '../../src/tokens/generate-keyring.ts'
import { keysOf, loadKeyring } from '../../src/tokens/keyring.ts'
import type { KeyringFile } from '../../src/tokens/keys.ts'

const changed = (change: (file: KeyringFile) => void): KeyringFile => {
  const file = structuredClone(generateKeyring({ signing: ['HS256', 'ES256', 'Ed25519'] }))
  change(file)
  return file
}

describe('a keyring', () => {
  test('is read from a file, and lists its keys without their secrets', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'countersign-'))
    const file = generateKeyring()
    await writeFile(join(dir, 'keys.json'), JSON.stringify(file))
    const keyring = await loadKeyring(join(dir, 'keys.json'))
    await rm(dir, { recursive: true })
    expect(keyring.kids).toHaveLength(5)
    expect(keyring.describe().map((key) => key.use)).toEqual(['placement', 'mac', 'rotation', 'signing', 'signing'])
    const shown =
      JSON.stringify([keyring, keyring.describe(), keyring.jwks()]) + inspect(keyring, { depth: 9, showHidden: true })
    for (const jwk of [file.placement, ...file.mac, ...file.rotation, ...file.signing]) {
      for (const secret of [jwk.k, jwk.d]) if (secret) expect(shown).not.toContain(secret)
    }
  })

  test('publishes the public halves of active and retiring keys only', async () => {
    const file = changed((one) => {
      one.signing[1]!.state = 'retiring'
      one.signing[2]!.state = 'retired'
    })
    const { keys } = (await loadKeyring(file)).jwks()
    expect(keys).toHaveLength(1)
    expect(Object.keys(keys[0]!).sort()).toEqual(['alg', 'crv', 'kid', 'kty', 'use', 'x', 'y'])
    const held = keysOf(await loadKeyring(file))
    expect(held.signWith('ES256')).toBeUndefined()
    expect(held.signing.has(file.signing[2]!.kid)).toBe(false)
  })

  test.each<[string, (file: KeyringFile) => void, string]>([
    ['another version', (file) => Object.assign(file, { version: 2 }), 'version'],
    ['no list', (file) => Object.assign(file, { mac: {} }), 'mac'],
    ['a short secret', (file) => Object.assign(file.mac[0]!, { k: 'AAAA' }), 'mac[0]'],
    [
      'a repetitive secret',
      (file) => Object.assign(file.placement, { k: Buffer.alloc(32, 7).toString('base64url') }),
      'placement',
    ],
    ['a padded secret', (file) => Object.assign(file.rotation[0]!, { k: `${file.rotation[0]!.k}=` }), 'rotation[0]'],
    ['a key without algorithm', (file) => delete file.signing[0]!.alg, 'signing[0]'],
    ['an algorithm that we do not ship', (file) => Object.assign(file.signing[0]!, { alg: 'HS512' }), 'signing[0]'],
    ['a point off the curve', (file) => Object.assign(file.signing[1]!, { y: file.signing[1]!.x }), 'signing[1]'],
    [
      'a public part of another key',
      (file) => Object.assign(file.signing[2]!, { x: changed(() => {}).signing[2]!.x }),
      'signing[2]',
    ],
    [
      'a curve that is not the algorithm’s',
      (file) => Object.assign(file.signing[1]!, { alg: 'Ed25519' }),
      'signing[1]',
    ],
    ['one kid twice', (file) => Object.assign(file.mac[0]!, { kid: file.placement.kid }), 'kid'],
    ['one number twice', (file) => file.mac.push({ ...generateKeyring().mac[0]! }), 'mac'],
    ['a number out of range', (file) => Object.assign(file.mac[0]!, { number: 256 }), 'mac[0]'],
    ['a state that is none', (file) => Object.assign(file.mac[0]!, { state: 'on' }), 'mac[0]'],
  ])('refuses %s, and quotes no secret', async (_, change, where) => {
    const file = changed(change)
    const error: any = await loadKeyring(file).catch((thrown) => thrown)
    expect(error.code).toBe('ERR_KEY_UNUSABLE')
    expect(error.message).toContain(`"${where}"`)
    const told = inspect(error, { depth: 9 })
    for (const jwk of [file.placement, ...file.signing])
      for (const part of [jwk.k, jwk.d]) if (part) expect(told).not.toContain(part)
  })

  test('needs an active key for every purpose', async () => {
    const file = changed((one) => Object.assign(one.mac[0]!, { state: 'retiring' }))
    await expect(loadKeyring(file)).rejects.toMatchObject({ code: 'ERR_KEY_NOT_FOUND' })
    await expect(loadKeyring('/nowhere/keys.json')).rejects.toMatchObject({ code: 'ERR_KEY_NOT_FOUND' })
  })

  test('a file that is not JSON is refused without quoting it', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'countersign-'))
    const path = join(dir, 'keys.json')
    await writeFile(path, '{"placement": secret-canary')
    const error: any = await loadKeyring(path).catch((thrown) => thrown)
    await rm(dir, { recursive: true })
    expect(error.code).toBe('ERR_KEY_UNUSABLE')
    expect(inspect(error, { depth: 9 })).not.toContain('secret-canary')
  })
})

test('no key has a name that a command line takes for an option', () => {
  const dashes = { ...systemRuntime, random: (size: number) => new Uint8Array(size).fill(0b1111_1000) }
  expect(generateKeyring({ runtime: dashes }).placement.kid).toMatch(/^A/)
  for (let n = 0; n < 300; n++) {
    const { placement, signing } = generateKeyring({ signing: ['HS256', 'ES256', 'Ed25519'] })
    for (const { kid } of [placement, ...signing]) expect(kid).not.toMatch(/^-/)
  }
})
