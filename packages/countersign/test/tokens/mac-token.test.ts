import { createHmac, randomBytes } from 'node:crypto'
import fc from 'fast-check'
import { beforeAll, describe, expect, test } from 'vitest'
import { generateKeyring } from '../../src/tokens/generate-keyring.ts'
import { type Keyring, keysOf, loadKeyring } from '../../src/tokens/keyring.ts'
import type { Keys } from '../../src/tokens/keys.ts'
import { readMacToken, writeMacToken } from '../../src/tokens/mac-token.ts'
import { newSessionId, parseSessionId, subjectRef } from '../../src/tokens/session-id.ts'
import { successorOf } from '../../src/tokens/successor.ts'

let keyring: Keyring
let keys: Keys
beforeAll(async () => {
  keyring = await loadKeyring(generateKeyring())
  keys = keysOf(keyring)
})
const id = () => newSessionId(subjectRef(keyring, 'u').tag, randomBytes)
const sample = () => ({ macKey: 1, sessionId: id(), generation: 7, secret: randomBytes(32) })

describe('opaque and refresh tokens', () => {
  test('are read back as written', () => {
    const token = sample()
    const text = writeMacToken('csr_', token, keys)
    expect(text).toMatch(/^csr_[A-Za-z0-9_-]{127}$/)
    const read = readMacToken('csr_', text, keys)
    expect(read).toMatchObject({ ok: true, macKey: 1, sessionId: token.sessionId, generation: 7 })
    expect(read.ok && Buffer.from(read.secret).equals(token.secret)).toBe(true)
  })

  test('one kind is never taken for the other, also with the prefix changed', () => {
    const text = writeMacToken('csr_', sample(), keys)
    expect(readMacToken('cso_', text, keys)).toEqual({ ok: false, reason: 'malformed' })
    expect(readMacToken('cso_', `cso_${text.slice(4)}`, keys)).toEqual({ ok: false, reason: 'bad_signature' })
  })

  test('no other text is accepted: every character, and random ones', () => {
    const text = writeMacToken('cso_', sample(), keys)
    for (let at = 0; at < text.length; at++) {
      for (const other of ['A', '_', '=', ' ']) {
        if (text[at] !== other)
          expect(readMacToken('cso_', text.slice(0, at) + other + text.slice(at + 1), keys).ok).toBe(false)
      }
    }
    fc.assert(fc.property(fc.string(), (noise) => !readMacToken('cso_', noise, keys).ok))
    fc.assert(fc.property(fc.string(), (noise) => !readMacToken('cso_', `cso_${noise}`, keys).ok))
  })

  test('one of another version, whatever its length: with a right MAC a fault that names both, else malformed', () => {
    const { key } = keys.mac.active
    for (const length of [0, 60, 93, 93 + 40]) {
      const body = Buffer.concat([Buffer.of(2, 1), randomBytes(length)])
      const mac = createHmac('sha256', key).update('csr_').update(body).digest()
      const text = `csr_${Buffer.concat([body, mac]).toString('base64url')}`
      expect(() => readMacToken('csr_', text, keys)).toThrow(
        expect.objectContaining({
          code: 'ERR_FORMAT_UNKNOWN',
          message: 'a token has format 2.0, which another release wrote; this one reads 1.x',
        }),
      )
      mac[0]! ^= 1
      const forged = `csr_${Buffer.concat([body, mac]).toString('base64url')}`
      expect(readMacToken('csr_', forged, keys)).toEqual({ ok: false, reason: 'malformed' })
    }
  })

  test('another keyring reads nothing of it', async () => {
    const other = keysOf(await loadKeyring(generateKeyring()))
    expect(readMacToken('cso_', writeMacToken('cso_', sample(), keys), other)).toEqual({
      ok: false,
      reason: 'bad_signature',
    })
  })
})

describe('session ids', () => {
  test('tell where a subject is, and nothing else tells it', () => {
    const { tag } = subjectRef(keyring, 'u')
    expect(tag).toHaveLength(12)
    expect(subjectRef(keyring, 'u').tag).toBe(tag)
    expect(id().slice(0, 12)).toBe(tag)
    expect(parseSessionId(id())).toHaveLength(34)
  })

  test('lengths keep names apart', () => {
    const tags = [
      subjectRef(keyring, 'ab'),
      subjectRef(keyring, { tenant: 'a', subject: 'b' }),
      subjectRef(keyring, { tenant: 'ab', subject: 'a' }),
      subjectRef(keyring, { tenant: 'a', subject: 'ba' }),
    ].map((ref) => ref.tag)
    expect(new Set(tags).size).toBe(4)
  })

  test.each(['', 'x'.repeat(257), '\ud800'])('refuses the subject %j', (subject) => {
    expect(() => subjectRef(keyring, subject)).toThrow(expect.objectContaining({ code: 'ERR_INPUT_INVALID' }))
    expect(() => subjectRef(keyring, { subject: 'u', tenant: subject })).toThrow(
      expect.objectContaining({ code: 'ERR_INPUT_INVALID' }),
    )
  })

  test('text from outside is no id unless it has exactly its form', () => {
    for (const text of [
      '',
      'x',
      `${id()}A`,
      id().slice(1),
      `${id().slice(0, 33)}=`,
      `${id().slice(0, 33)}B`,
      `${id().slice(0, 33)}/`,
    ]) {
      expect(parseSessionId(text)).toBeUndefined()
    }
  })

  test('10 000 ids and secrets: none twice, every bit balanced', () => {
    const ids = new Set(Array.from({ length: 10_000 }, () => id()))
    expect(ids.size).toBe(10_000)
    const bits = Array.from({ length: 128 }, () => 0)
    for (const one of ids) {
      const bytes = Buffer.from(one, 'base64url').subarray(9)
      for (let bit = 0; bit < 128; bit++) bits[bit]! += (bytes[bit >> 3]! >> (bit & 7)) & 1
    }
    // Six standard deviations: one run in millions fails by chance.
    for (const ones of bits) expect(Math.abs(ones - 5_000)).toBeLessThan(300)
  })
})

test('the successor depends on key, session, generation and the presented secret, and on nothing else', async () => {
  const one = sample()
  const other = keysOf(await loadKeyring(generateKeyring()))
  const same = successorOf(keys, 1, one.sessionId, 1, one.secret)
  expect(successorOf(keys, 1, one.sessionId, 1, one.secret).equals(same)).toBe(true)
  const different = [
    successorOf(other, 1, one.sessionId, 1, one.secret),
    successorOf(keys, 1, id(), 1, one.secret),
    successorOf(keys, 1, one.sessionId, 2, one.secret),
    successorOf(keys, 1, one.sessionId, 1, randomBytes(32)),
  ]
  for (const secret of different) expect(secret.equals(same)).toBe(false)
  expect(() => successorOf(keys, 9, one.sessionId, 1, one.secret)).toThrow(
    expect.objectContaining({ code: 'ERR_KEY_NOT_FOUND' }),
  )
})
