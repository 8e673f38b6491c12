import { fromBase64url, toBase64url } from '../internal/bytes.ts'
import { type SignatureCheck, type SigningAlg, signatureOf, type VerifyingAlg } from './signatures.ts'
import { type JsonObject, parseStrictObject } from './strict-json.ts'

/** Longest compact token that is looked at, in characters, where nobody sets another limit. */
export const MAX_TOKEN_CHARACTERS = 8_192

/** What a JWS is verified with. */
export interface VerifyingKey {
  /** Absent only for keys of another issuer that gives them none. */
  readonly kid?: string
  readonly alg: VerifyingAlg
  /** A second name of the same algorithm, for this key alone: `EdDSA` says the same of an Ed25519 key (RFC 9864). */
  readonly alias?: 'EdDSA'
  readonly verifies: SignatureCheck
}

/** The key that a header names, if its algorithm is that key's. Never derived from anything else in the token. */
export type KeyLookup = (kid: string, alg: string) => VerifyingKey | undefined
/** The same for tokens of other issuers, which may leave `kid` out where exactly one of their keys fits. */
export type ForeignKeyLookup = (kid: string | undefined, alg: string) => VerifyingKey | undefined

/** Headers that our own signer writes, by their exact base64url text. */
export type KnownHeaders = ReadonlyMap<string, { readonly header: JsonObject; readonly key: VerifyingKey }>

export interface JwsRule {
  /** Media type that the header must state, without `application/` (RFC 8725 section 3.11). `null` = do not ask. */
  readonly typ: string | null
  /** A token whose header is one of these, byte by byte, has been through every check of the header already. */
  readonly known?: KnownHeaders
}
/** `kid` may be absent, and `keyFor` decides: only for tokens of other issuers. */
export interface ForeignJwsRule extends JwsRule {
  readonly kid: 'optional'
}

export type JwsRefusal = { readonly ok: false; readonly reason: 'malformed' | 'bad_signature' }
export type JwsResult =
  | { readonly ok: true; readonly header: JsonObject; readonly key: VerifyingKey; readonly claims: JsonObject }
  | JwsRefusal
export type OpenedJws =
  | { readonly ok: true; readonly header: JsonObject; readonly key: VerifyingKey; readonly payload: Buffer }
  | JwsRefusal

/** Members that a protected header may have here. No `crit`, `b64`, `zip`, `jku`, `jwk`, `x5u`, `x5c`: refused, not ignored. */
const HEADER_MEMBERS = new Set(['alg', 'kid', 'typ'])

/**
 * Verifies a compact JWS (RFC 7515) over any bytes, strictly: alphabet and canonical encoding first, then the header,
 * then the signature (ASVS 9.1.1). Synchronous, and at most one signature check.
 *
 * @param maxCharacters - Longest token that is looked at. Default 8 192.
 */
export function openJws(token: string, rule: JwsRule, keyFor: KeyLookup, maxCharacters?: number): OpenedJws
export function openJws(
  token: string,
  rule: ForeignJwsRule,
  keyFor: ForeignKeyLookup,
  maxCharacters?: number,
): OpenedJws
export function openJws(
  token: string,
  rule: JwsRule | ForeignJwsRule,
  keyFor: ForeignKeyLookup | KeyLookup,
  maxCharacters = MAX_TOKEN_CHARACTERS,
): OpenedJws {
  if (typeof token !== 'string' || token.length > maxCharacters) return MALFORMED
  const first = token.indexOf('.')
  const second = token.indexOf('.', first + 1)
  if (first < 1 || second === -1) return MALFORMED
  const headerText = token.slice(0, first)
  // A third dot is outside the alphabet, so five parts, a JWE, are no JWS (RFC 8725bis section 3.14).
  const payload = fromBase64url(token.slice(first + 1, second))
  const signature = fromBase64url(token.slice(second + 1))
  if (!payload || !signature) return MALFORMED

  let found = rule.known?.get(headerText)
  if (!found) {
    const bytes = fromBase64url(headerText)
    const header = bytes && parseStrictObject(bytes)
    if (!header || !isAcceptable(header, rule)) return MALFORMED
    const key = (keyFor as ForeignKeyLookup)(header.kid as string | undefined, header.alg as string)
    // The lookup has compared the algorithm; once more here, so that no lookup can ever forget it.
    if (!key || (header.alg !== key.alg && header.alg !== key.alias)) return BAD_SIGNATURE
    found = { header, key }
  }
  const { header, key } = found
  return key.verifies(token.slice(0, second), signature) ? { ok: true, header, key, payload } : BAD_SIGNATURE
}

/**
 * Verifies a compact JWS with JSON claims. What {@link openJws} does, and only then the claims are looked at.
 *
 * @param typ - Media type that the header must state, or the whole rule.
 */
export function verifyJws(token: string, typ: string | JwsRule, keyFor: KeyLookup, maxCharacters?: number): JwsResult
export function verifyJws(
  token: string,
  rule: ForeignJwsRule,
  keyFor: ForeignKeyLookup,
  maxCharacters?: number,
): JwsResult
export function verifyJws(
  token: string,
  rule: string | JwsRule | ForeignJwsRule,
  keyFor: KeyLookup,
  maxCharacters?: number,
): JwsResult {
  const opened = openJws(token, typeof rule === 'string' ? { typ: rule } : rule, keyFor, maxCharacters)
  if (!opened.ok) return opened
  const claims = parseStrictObject(opened.payload)
  return claims ? { ok: true, header: opened.header, key: opened.key, claims } : MALFORMED
}

/** What signs. */
export interface JwsSigner {
  readonly kid: string
  readonly alg: SigningAlg
  readonly signWith: Parameters<typeof signatureOf>[1]
}

/** Signs claims as a compact JWS. */
export function signJws(claims: JsonObject, typ: string, key: JwsSigner): string {
  const input = `${headerText(key, typ)}.${toBase64url(Buffer.from(JSON.stringify(claims)))}`
  return `${input}.${toBase64url(signatureOf(key.alg, key.signWith, input))}`
}

/** The headers of tokens of one type that our own keys make. */
export function knownHeaders(typ: string, keys: Iterable<VerifyingKey & JwsSigner>): KnownHeaders {
  return new Map(
    [...keys].map((key) => [headerText(key, typ), { header: Object.freeze({ alg: key.alg, kid: key.kid, typ }), key }]),
  )
}

function headerText({ alg, kid }: Pick<JwsSigner, 'alg' | 'kid'>, typ: string): string {
  return toBase64url(Buffer.from(JSON.stringify({ alg, kid, typ })))
}

function isAcceptable(header: JsonObject, rule: JwsRule | ForeignJwsRule): boolean {
  for (const name of Object.keys(header)) if (!HEADER_MEMBERS.has(name)) return false
  if (typeof header.alg !== 'string') return false
  const withoutKid = header.kid === undefined && 'kid' in rule
  if (!withoutKid && typeof header.kid !== 'string') return false
  if (rule.typ === null) return header.typ === undefined || typeof header.typ === 'string'
  if (typeof header.typ !== 'string') return false
  const stated = header.typ.toLowerCase()
  return stated === rule.typ || stated === `application/${rule.typ}`
}

const MALFORMED = { ok: false, reason: 'malformed' } as const
const BAD_SIGNATURE = { ok: false, reason: 'bad_signature' } as const
