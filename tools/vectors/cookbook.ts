// The JOSE cookbook (RFC 7520, RFC 7797, RFC 8037): JWS in three serialisations, JWKs, and one JWE.
import { createPrivateKey, createSecretKey, type JsonWebKey } from 'node:crypto'
import type { VerifyingKey } from '../../packages/countersign/src/tokens/jws.ts'
import { type SigningAlg, signatureOf } from '../../packages/countersign/src/tokens/signatures.ts'
import { type Case, type Loaded, SHIPPED, verdictOf } from './cases.ts'
import { fingerprint } from './fingerprint.ts'
import { importKeys, type Jwk, verdictOnJws } from './jose-layer.ts'

export interface CookbookFile {
  readonly title?: string
  readonly kty?: string
  readonly reproducible?: boolean
  readonly input?: {
    readonly payload?: unknown
    readonly key?: Jwk | readonly Jwk[]
    readonly alg?: unknown
    readonly enc?: unknown
  }
  readonly signing?: Readonly<Record<string, unknown>>
  readonly output?: Readonly<Record<string, unknown>>
}

/** Header members that the layer knows; a token with others is refused. */
const KNOWN = new Set(['alg', 'kid', 'typ'])

export function loadCookbook(file: CookbookFile): Loaded {
  if (file.kty !== undefined) return { kind: 'JWK', cases: [keyCase(file as Jwk)] }
  const { input = {}, output = {} } = file
  const keys = (Array.isArray(input.key) ? input.key : [input.key ?? {}]) as readonly Jwk[]
  const cases = Object.entries(output)
    .filter(([, value]) => typeof value === 'string' || (typeof value === 'object' && value !== null))
    .filter(([name]) => name === 'compact' || name.startsWith('json'))
    .map(([name, value]) => tokenCase(file, name, value, keys))
  const signed = signCase(file, keys[0] ?? {})
  return { kind: 'JOSE cookbook', cases: signed ? [...cases, signed] : cases }
}

function tokenCase(file: CookbookFile, name: string, value: unknown, keys: readonly Jwk[]): Case {
  const { input = {}, signing = {} } = file
  const payload = typeof input.payload === 'string' ? Buffer.from(input.payload).toString('base64url') : undefined
  const token = typeof value === 'string' ? value : JSON.stringify(value)
  const alg = typeof input.alg === 'string' ? input.alg : undefined
  const header = (signing.protected ?? {}) as object
  const fits =
    name === 'compact' &&
    input.enc === undefined &&
    SHIPPED.has(alg) &&
    Object.keys(header).every((member) => KNOWN.has(member)) &&
    // Detached content (RFC 7515 appendix F) is not supported: its compact form has no payload.
    token.split('.')[1] === payload
  return {
    id: name,
    about: `${file.title ?? ''}, ${name}`,
    label: 'valid',
    expected: fits ? 'accepted' : 'refused',
    fingerprint: fingerprint(keys, token),
    run: () => (keys.some((key) => verdictOnJws(token, key, alg, payload) === 'accepted') ? 'accepted' : 'refused'),
  }
}

/** Deterministic algorithms must give the very bytes; ECDSA must give something that verifies. */
function signCase(file: CookbookFile, key: Jwk): Case | undefined {
  const { signing = {}, input = {} } = file
  const alg = input.alg === 'EdDSA' ? 'Ed25519' : input.alg
  const text = signing['sig-input']
  if (!['HS256', 'ES256', 'Ed25519'].includes(alg as string) || typeof text !== 'string') return undefined
  // RFC 7797 is not supported, and one of its examples shows the signing input of another one.
  if (Object.keys((signing.protected ?? {}) as object).some((member) => !KNOWN.has(member))) return undefined
  return {
    id: 'sign',
    about: `${file.title ?? ''}, signed again`,
    label: 'valid',
    expected: 'accepted',
    fingerprint: fingerprint(key, text),
    run: () =>
      verdictOf(() => {
        const signature = signatureOf(alg as SigningAlg, privateKey(key), text)
        if (alg !== 'ES256') return signature.toString('base64url') === signing.sig
        return importKeys(key, alg)[0]!.verifies(text, signature)
      }),
  }
}

function privateKey(jwk: Jwk) {
  if (jwk.kty === 'oct') return createSecretKey(String(jwk.k), 'base64url')
  return createPrivateKey({ format: 'jwk', key: jwk as JsonWebKey })
}

/** A key is accepted when it can be imported as what it is: public, or symmetric, for an algorithm that is shipped. */
function keyCase(jwk: Jwk): Case {
  const alg = jwk.alg ?? { RSA: 'RS256', oct: 'HS256' }[jwk.kty as string] ?? (jwk.crv === 'P-256' ? 'ES256' : jwk.crv)
  const usable = SHIPPED.has(alg) && jwk.use !== 'enc' && (jwk.kty === 'oct' || !('d' in jwk))
  return {
    id: String(jwk.kid ?? jwk.kty),
    about: `a JWK of type ${jwk.kty}`,
    label: 'valid',
    expected: usable ? 'accepted' : 'refused',
    fingerprint: fingerprint(jwk),
    run: () => verdictOf(() => importAsIs(jwk, alg as string).length === 1),
  }
}

/** Not the public half of a private key, but the key as it stands. */
function importAsIs(jwk: Jwk, alg: string): readonly VerifyingKey[] {
  return importKeys({ keys: [{ ...jwk, alg }] })
}
