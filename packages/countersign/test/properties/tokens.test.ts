import {
  CountersignError,
  createVerifier,
  generateKeyring,
  type Keyring,
  loadKeyring,
  systemRuntime,
} from 'countersign'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { count } from '../../../../tools/test-support/counts.ts'
import { Random } from '../../../../tools/test-support/random.ts'
import { signJws } from '../../src/tokens/jws.ts'
import { keysOf, loadKeyring as loadPrivately } from '../../src/tokens/keyring.ts'
import type { Keys } from '../../src/tokens/keys.ts'
import { readMacToken, writeMacToken } from '../../src/tokens/mac-token.ts'
import { seal } from '../../src/tokens/sealing.ts'
import { newSessionId } from '../../src/tokens/session-id.ts'
import { AUDIENCE, claimsAt, ISSUER } from '../verifier/issuer.ts'
import { type CryptoCalls, countCryptoCalls } from './crypto-calls.ts'
import { MUTATORS, twinOf } from './mutate.ts'

/** Mutants per parent; the parent is verified before them and after them. */
const LITTER = 100

const file = generateKeyring({ signing: ['HS256', 'ES256', 'Ed25519'], sealing: true })
let keyring: Keyring
let keys: Keys
let calls: CryptoCalls
beforeAll(async () => {
  keyring = await loadKeyring(file)
  keys = keysOf(await loadPrivately(file))
  calls = countCryptoCalls()
})
afterAll(() => calls.stop())

// ECDSA and EdDSA cost twenty times as much, and what is mutated is the same: they get a share each.
describe.each([
  ['HS256', false, count(12_000, 700_000)],
  ['HS256', true, count(4_000, 100_000)],
  ['ES256', false, count(2_000, 100_000)],
  ['Ed25519', false, count(2_000, 100_000)],
] as const)('access tokens with %s, sealed: %s', (alg, sealed, inputs) => {
  test(`of ${inputs} random and mutated inputs none is accepted but a signed original or its ECDSA twin`, () => {
    const random = new Random()
    const verifier = createVerifier({ issuer: ISSUER, audience: AUDIENCE, keys: keyring, sealed })
    const made = new Map<string, string>()
    const make = () => {
      const claims = { ...claimsAt(Date.now()), sub: `user:${random.below(1e6)}`, roles: ['user', 'é"\\\u2028'] }
      const jws = signJws(claims, 'at+jwt', keys.signWith(alg)!)
      const token = sealed ? seal(jws, keys.sealWith()!, systemRuntime.random) : jws
      made.set(token.slice(0, token.lastIndexOf('.')), token)
      return token
    }
    const spent = { accepting: 0, refusing: 0 }
    let [accepted, refused, twins] = [0, 0, 0]
    /** Verifies, and holds it to one signature check, to no thrown error, and to the originals. */
    const verify = (token: string): boolean => {
      calls.reset()
      const startedMs = performance.now()
      let checked: ReturnType<typeof verifier.verifyNow>
      try {
        checked = verifier.verifyNow(token)
      } catch (error) {
        if (!(error instanceof CountersignError))
          throw new Error(`seed ${random.seed}: threw ${error}`, { cause: token })
        throw new Error(`seed ${random.seed}: a refusal is a value, but ${error.code} was thrown`)
      }
      const elapsedMs = performance.now() - startedMs
      if (calls.signatures > 1 || calls.openings > 1) throw new Error(`seed ${random.seed}: ${JSON.stringify(calls)}`)
      if (!checked?.ok) {
        spent.refusing += elapsedMs
        refused++
        return false
      }
      spent.accepting += elapsedMs
      accepted++
      const original = made.get(token.slice(0, token.lastIndexOf('.')))
      const isTwin = alg === 'ES256' && original !== undefined && twinOf(original) === token
      if (isTwin) twins++
      else if (original !== token) throw new Error(`seed ${random.seed}: accepted ${token}`)
      return true
    }

    for (let done = 0; done < inputs; done += LITTER) {
      const [parent, other] = [make(), make()]
      expect(verify(parent) && verify(other)).toBe(true)
      if (alg === 'ES256') expect(verify(twinOf(parent))).toBe(true)
      for (let one = 0; one < LITTER; one++) verify(random.pick(MUTATORS)(parent, random, other))
      expect(verify(parent)).toBe(true)
      made.clear()
    }
    // Some mutators give the token itself back, such as one that replaces a character by the same one.
    expect(refused).toBeGreaterThan(inputs * 0.8)
    expect(twins > 0).toBe(alg === 'ES256')
    // An accepted token costs one signature check, the parsing, and the claims: on average no refusal costs more.
    expect(spent.refusing / refused).toBeLessThan((spent.accepting / accepted) * 1.5)
  })
})

test(`of ${count(20_000, 1_000_000)} mutants of opaque and refresh tokens none is accepted but the original`, () => {
  const random = new Random()
  for (let done = 0; done < count(20_000, 1_000_000); done += LITTER) {
    const make = (prefix: 'cso_' | 'csr_') => {
      const sessionId = newSessionId(random.bytes(9).toString('base64url'), (length) => random.bytes(length))
      return writeMacToken(
        prefix,
        { macKey: 1, sessionId, generation: random.below(9), secret: random.bytes(32) },
        keys,
      )
    }
    const [prefix, otherPrefix] = random.chance(2) ? (['cso_', 'csr_'] as const) : (['csr_', 'cso_'] as const)
    const [parent, other] = [make(prefix), make(prefix)]
    const accepts = (text: string) => readMacToken(prefix, text, keys).ok
    expect(accepts(parent)).toBe(true)
    expect(accepts(make(otherPrefix))).toBe(false)
    for (let one = 0; one < LITTER; one++) {
      const mutant = random.pick(MUTATORS)(parent, random, other)
      calls.reset()
      if (accepts(mutant) && mutant !== parent && mutant !== other) throw new Error(`seed ${random.seed}: ${mutant}`)
      if (calls.signatures > 1) throw new Error(`seed ${random.seed}: ${calls.signatures} MACs for one token`)
    }
    expect(accepts(parent)).toBe(true)
  }
})

test('the worst that fits into 8 KiB costs no more than a true token of that size', () => {
  const key = keys.signWith('HS256')!
  const verifier = createVerifier({ issuer: ISSUER, audience: AUDIENCE, keys: keyring })
  const escapes = '\u2028"\\'.repeat(800)
  const honest = signJws({ ...claimsAt(Date.now()), note: escapes }, 'at+jwt', key)
  expect(honest.length).toBeLessThan(8_192)
  expect(verifier.verifyNow(honest)?.ok).toBe(true)
  const b64 = (text: string) => Buffer.from(text).toString('base64url')
  const header = honest.split('.')[0]!
  const signature = honest.split('.')[2]!
  const room = 6_000
  const worst = {
    'a long header': `${b64(`{"alg":"HS256","kid":"x","typ":"at+jwt","x":"${'\\u0061'.repeat(room / 6 - 20)}"}`)}.e30.${signature}`,
    'many members': `${b64(`{${Array.from({ length: 700 }, (_, n) => `"${n}":0`).join()}}`)}.e30.${signature}`,
    'deep nesting': `${header}.${b64('['.repeat(room / 2) + ']'.repeat(room / 2))}.${signature}`,
    'white space': `${b64(`{${' '.repeat(room - 50)}}`)}.e30.${signature}`,
    'one long number': `${b64(`{"alg":${'9'.repeat(room - 50)}}`)}.e30.${signature}`,
    'no dots': 'A'.repeat(8_192),
    'dots only': '.'.repeat(8_192),
    'a wrong signature': `${honest.slice(0, -4)}AAAA`,
    'over the limit': 'A'.repeat(1_000_000),
  }
  // The fastest of many rounds: whatever else the machine does only makes a round slower.
  const fastestOf = (token: string) => {
    let fastestMs = Number.POSITIVE_INFINITY
    for (let round = 0; round < 80; round++) {
      const startedMs = performance.now()
      for (let one = 0; one < 10; one++) verifier.verifyNow(token)
      fastestMs = Math.min(fastestMs, performance.now() - startedMs)
    }
    return fastestMs
  }
  fastestOf(honest)
  for (const [name, token] of Object.entries(worst)) {
    expect(verifier.verifyNow(token), name).toMatchObject({ ok: false })
    expect(fastestOf(token), name).toBeLessThan(fastestOf(honest) * 2)
  }
})
