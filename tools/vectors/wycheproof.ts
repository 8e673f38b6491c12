// Wycheproof (testvectors_v1): JSON web signatures, keys and encryption, and the primitives below them.
import { createPublicKey, createSecretKey, type KeyObject } from 'node:crypto'
import { readMacKey, readPublicKey } from '../../packages/countersign/src/tokens/public-key.ts'
import { signatureCheck } from '../../packages/countersign/src/tokens/signatures.ts'
import { type Case, type Expected, type Loaded, SHIPPED, verdictOf } from './cases.ts'
import { fingerprint } from './fingerprint.ts'
import { type Jwk, verdictOnJws } from './jose-layer.ts'

interface Test {
  readonly tcId: number
  readonly comment: string
  readonly result: 'valid' | 'invalid' | 'acceptable'
  readonly jws?: string
  readonly jwe?: string
  readonly msg?: string
  readonly sig?: string
  readonly tag?: string
  readonly key?: string
}
interface Group extends Readonly<Record<string, unknown>> {
  readonly type: string
  readonly tests: readonly Test[]
  readonly public?: Jwk
  readonly private?: Jwk
  readonly publicKeyJwk?: Jwk
  readonly publicKeyPem?: string
  readonly publicKey?: { readonly wx?: string; readonly wy?: string; readonly curve?: string }
  readonly sha?: string
  readonly tagSize?: number
}
export interface WycheproofFile {
  readonly algorithm?: string
  readonly testGroups: readonly Group[]
}

export function loadWycheproof(file: WycheproofFile): Loaded {
  const cases = file.testGroups.flatMap((group) => group.tests.map((test) => caseOf(file, group, test)))
  return { kind: 'Wycheproof', cases }
}

function caseOf(file: WycheproofFile, group: Group, test: Test): Case {
  const common = { id: String(test.tcId), about: test.comment, label: test.result }
  const token = test.jws ?? test.jwe
  if (token !== undefined) {
    const jwk = group.public ?? group.private ?? {}
    const shipped = test.jws !== undefined && algsOf(jwk).every((alg) => alg === undefined || SHIPPED.has(alg))
    return {
      ...common,
      expected: shipped && test.result === 'valid' ? 'accepted' : 'refused',
      fingerprint: fingerprint(jwk, token),
      // A JWE has five parts; with an HMAC key at hand it still is no JWS.
      run: () => verdictOnJws(token, test.jws === undefined ? HMAC_KEY : jwk),
    }
  }
  return {
    ...common,
    fingerprint: fingerprint(group.publicKey ?? test.key, test.msg, test.sig),
    ...primitive(file, group, test),
  }
}

const HMAC_KEY: Jwk = { kty: 'oct', alg: 'HS256', k: 'AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8' }

function algsOf(jwk: Jwk): readonly unknown[] {
  return Array.isArray(jwk.keys) ? jwk.keys.map((key: Jwk) => key.alg) : [jwk.alg]
}

/** A primitive of an algorithm that is shipped is called directly; of another one, its key must find no way in. */
function primitive(file: WycheproofFile, group: Group, test: Test): { expected: Expected; run: Case['run'] } {
  const message = Buffer.from(test.msg ?? '', 'hex')
  const proof = Buffer.from(test.sig ?? test.tag ?? '', 'hex')
  // JWS knows no truncated tags (RFC 7518 section 3.2).
  const whole = group.type !== 'MacTest' || group.tagSize === 256
  const expected = test.result === 'valid' && whole ? 'accepted' : 'refused'
  const check = (alg: Parameters<typeof signatureCheck>[0], key: () => KeyObject) => ({
    expected: expected as Expected,
    run: () => verdictOf(() => signatureCheck(alg, key())(message, proof)),
  })
  switch (group.type === 'MacTest' ? file.algorithm : `${group.type} ${group.sha ?? ''}`.trim()) {
    case 'HMACSHA256':
      return check('HS256', () => createSecretKey(Buffer.from(test.key ?? '', 'hex')))
    case 'RsassaPkcs1Verify SHA-256':
      return check('RS256', () => createPublicKey(group.publicKeyPem!))
    case 'EddsaVerify':
      return {
        expected,
        run: () => verdictOf(() => readPublicKey(group.publicKeyJwk, 'key', 'Ed25519').verifies(message, proof)),
      }
    case 'EcdsaP1363Verify SHA-256':
      return {
        expected,
        run: () => verdictOf(() => readPublicKey(ecJwk(group), 'key', 'ES256').verifies(message, proof)),
      }
    default:
      return { expected: 'refused', run: () => verdictOf(() => unshipped(file, group, test)) }
  }
}

/** Must throw: an algorithm that is not shipped has no key. */
function unshipped(file: WycheproofFile, group: Group, test: Test): boolean {
  if (group.type === 'MacTest') {
    const alg = `HS${file.algorithm?.replace(/\D/g, '')}`
    readMacKey({ kty: 'oct', k: Buffer.from(test.key ?? '', 'hex').toString('base64url'), alg }, 'key')
  } else {
    const jwk = group.publicKeyJwk ?? (group.keyJwk as Jwk | undefined) ?? ecJwk(group)
    readPublicKey({ ...jwk, alg: jwk.alg ?? `ES${group.sha?.replace(/\D/g, '')}` }, 'key')
  }
  return true
}

function ecJwk({ publicKeyJwk, publicKey }: Group): Jwk {
  if (publicKeyJwk) return publicKeyJwk
  const crv = { secp256r1: 'P-256', secp384r1: 'P-384', secp521r1: 'P-521' }[publicKey?.curve ?? '']
  const coordinate = (hex = '') => Buffer.from(hex, 'hex').toString('base64url')
  return { kty: 'EC', crv, x: coordinate(publicKey?.wx), y: coordinate(publicKey?.wy) }
}
