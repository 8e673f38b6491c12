import { createCipheriv } from 'node:crypto'
import {
  allowlist,
  createSessions,
  createVerifier,
  generateKeyring,
  loadKeyring as loadBuilt,
  stateless,
  systemRuntime,
} from 'countersign'
import { memoryStore } from 'countersign/stores/memory'
import { beforeAll, describe, expect, test } from 'vitest'
import type { SealingKey } from '../../src/tokens/key-material.ts'
import { type Keyring, keysOf, loadKeyring } from '../../src/tokens/keyring.ts'
import type { KeyringFile, Keys } from '../../src/tokens/keys.ts'
import { rotateKeyring } from '../../src/tokens/rotate-keyring.ts'
import { MAX_SEALS, seal, unseal } from '../../src/tokens/sealing.ts'

const ISSUER = 'https://auth.test'
const AUDIENCE = 'https://api.test'
const file = generateKeyring({ sealing: true })
const { random } = systemRuntime
let keys: Keys
let key: SealingKey
beforeAll(async () => {
  keys = keysOf(await loadKeyring(file))
  key = keys.sealWith()!
})
const b64 = (text: string) => Buffer.from(text).toString('base64url')

describe('sealing', () => {
  test('what was sealed is read back, and says nothing to whoever has no key', () => {
    const sealed = seal('header.claims.signature', key, random)
    expect(sealed.split('.')).toHaveLength(5)
    expect(Buffer.from(sealed.split('.')[3]!, 'base64url').toString()).not.toContain('claims')
    expect(JSON.parse(Buffer.from(sealed.split('.')[0]!, 'base64url').toString())).toEqual({
      alg: 'dir',
      cty: 'JWT',
      enc: 'A256GCM',
      kid: file.sealing[0]!.kid,
    })
    expect(unseal(sealed, keys)).toEqual({ ok: true, jws: 'header.claims.signature' })
  })

  test('no two seals are alike', () => {
    const ivs = Array.from({ length: 1_000 }, () => seal('x', key, random).split('.')[2])
    expect(new Set(ivs).size).toBe(1_000)
  })

  test('every change of one character is refused', () => {
    const sealed = seal('header.claims.signature', key, random)
    for (let at = 0; at < sealed.length; at++) {
      for (const other of ['A', 'B', '=', '.', ' ']) {
        if (sealed[at] === other) continue
        expect(unseal(sealed.slice(0, at) + other + sealed.slice(at + 1), keys).ok, `${at} ${other}`).toBe(false)
      }
    }
  })

  test('no header is understood but the one that we write: no zip, no other algorithm, no key wrapping', () => {
    const { kid } = key
    for (const header of [
      { alg: 'dir', enc: 'A256GCM', kid },
      { alg: 'dir', cty: 'JWT', enc: 'A256GCM', kid, zip: 'DEF' },
      { alg: 'dir', cty: 'JWT', enc: 'A128GCM', kid },
      { alg: 'PBES2-HS256+A128KW', p2c: 2 ** 31, p2s: 'AAAAAAAAAAA', cty: 'JWT', enc: 'A256GCM', kid },
      { alg: 'dir', cty: 'JWT', enc: 'A256GCM', kid: '__proto__' },
    ]) {
      // Rightly encrypted, so that only the header can be at fault.
      const text = b64(JSON.stringify(header))
      const iv = random(12)
      const cipher = createCipheriv('aes-256-gcm', key.key, iv)
      cipher.setAAD(Buffer.from(text))
      const body = Buffer.concat([cipher.update('a.b.c'), cipher.final()])
      const parts = [text, '', Buffer.from(iv).toString('base64url'), body.toString('base64url')]
      const startedMs = performance.now()
      expect(unseal([...parts, cipher.getAuthTag().toString('base64url')].join('.'), keys).ok).toBe(false)
      // So many rounds of PBKDF2 would take minutes.
      expect(performance.now() - startedMs).toBeLessThan(5_000)
    }
  })

  test('a short tag is refused', () => {
    const [header, , iv, body, tag] = seal('a.b.c', key, random).split('.')
    for (const characters of [0, 6, 16, 20]) {
      expect(unseal([header, '', iv, body, tag!.slice(0, characters)].join('.'), keys).ok).toBe(false)
    }
  })

  test('a retiring key opens and does not seal, a retired one does neither', async () => {
    const state = async (one: 'active' | 'retiring' | 'retired'): Promise<Keys> => {
      const changed: KeyringFile = structuredClone(file)
      changed.sealing[0]!.state = one
      return keysOf(await loadKeyring(changed))
    }
    const sealed = seal('a.b.c', key, random)
    expect((await state('retiring')).sealWith()).toBeUndefined()
    expect(unseal(sealed, await state('retiring')).ok).toBe(true)
    expect(unseal(sealed, await state('retired')).ok).toBe(false)
  })

  test('a key is not used more often than its nonces allow', () => {
    const worn = { ...key, seals: MAX_SEALS - 1 }
    seal('a.b.c', worn, random)
    expect(() => seal('a.b.c', worn, random)).toThrow(expect.objectContaining({ code: 'ERR_KEY_UNUSABLE' }))
  })

  test('a reload does not start the count anew', async () => {
    const keyring = await loadKeyring(file)
    const [kid] = keysOf(keyring).sealing.keys()
    keysOf(keyring).sealing.get(kid!)!.seals = MAX_SEALS
    await keyring.reload(rotateKeyring(file, 'mac').file)
    expect(keysOf(keyring).version).toBe(2)
    expect(() => seal('a.b.c', keysOf(keyring).sealWith()!, random)).toThrow(/rotate it/)
  })

  test('a sealing key is 32 random bytes for A256GCM, and for nothing else', async () => {
    for (const change of [{ alg: 'HS256' }, { k: 'AAAA' }, { k: Buffer.alloc(32, 5).toString('base64url') }]) {
      const changed = structuredClone(file)
      Object.assign(changed.sealing[0]!, change)
      await expect(loadKeyring(changed)).rejects.toMatchObject({ code: 'ERR_KEY_UNUSABLE' })
    }
  })
})

describe('sealed tokens', () => {
  const options = { issuer: ISSUER, audience: AUDIENCE, refresh: false } as const
  let keyring: Keyring
  const open = (sealed: boolean) =>
    createSessions({ strategy: stateless({ ...options, sealed }), keyring: keyring as never, timeouts: 'aal1' })
  beforeAll(async () => {
    keyring = (await loadBuilt(file)) as never
  })
  const tokenOf = async (sealed: boolean) => {
    const issued = await open(sealed).issue({ subject: 'user:canary' })
    if (!issued.ok) throw new Error(issued.reason)
    return issued.accessToken
  }

  test('are accepted where they are asked for', async () => {
    const token = await tokenOf(true)
    expect(token.split('.')).toHaveLength(5)
    expect(open(true).verifyNow(token)).toMatchObject({ ok: true, session: { subject: 'user:canary' } })
    const verifier = createVerifier({ issuer: ISSUER, audience: AUDIENCE, keys: keyring as never, sealed: true })
    expect(verifier.verifyNow(token)).toMatchObject({ ok: true, session: { subject: 'user:canary' } })
  })

  test('a verifier is sealed or signed, never both', async () => {
    const [sealed, signed] = [await tokenOf(true), await tokenOf(false)]
    expect(open(true).verifyNow(signed)).toMatchObject({ ok: false, reason: 'malformed' })
    expect(open(false).verifyNow(sealed)).toMatchObject({ ok: false, reason: 'malformed' })
    for (const [asks, token] of [
      [true, signed],
      [false, sealed],
    ] as const) {
      const verifier = createVerifier({ issuer: ISSUER, audience: AUDIENCE, keys: keyring as never, sealed: asks })
      expect(verifier.verifyNow(token)).toMatchObject({ ok: false, reason: 'malformed' })
    }
  })

  test('what is inside is checked as strictly as if it were bare', () => {
    const inside = `${b64('{"alg":"none"}')}.${b64('{"sub":"admin"}')}.`
    expect(open(true).verifyNow(seal(inside, key, random))).toMatchObject({ ok: false, reason: 'malformed' })
  })

  test('are explained to support, which opens them', async () => {
    const store = memoryStore()
    const strategy = allowlist({ issuer: ISSUER, audience: AUDIENCE, sealed: true })
    const sessions = createSessions({ strategy, keyring: keyring as never, timeouts: 'aal1', store })
    const issued = await sessions.issue({ subject: 'user:1' })
    if (!issued.ok) throw new Error(issued.reason)
    const explained = await sessions.explain(issued.accessToken)
    expect(explained).toMatchObject({ kind: 'access_token', accepted: true, subject: 'user:1' })
    expect(await sessions.explain(await tokenOf(false))).toMatchObject({ accepted: false })
  })

  test('need a sealing key from the start', async () => {
    const without = await loadBuilt(generateKeyring())
    const strategy = stateless({ ...options, sealed: true })
    expect(() => createSessions({ strategy, keyring: without, timeouts: 'aal1' })).toThrow(
      expect.objectContaining({ code: 'ERR_KEY_NOT_FOUND' }),
    )
    expect(() => createVerifier({ issuer: ISSUER, audience: AUDIENCE, keys: without, sealed: true })).toThrow(
      expect.objectContaining({ code: 'ERR_KEY_NOT_FOUND' }),
    )
  })
})
