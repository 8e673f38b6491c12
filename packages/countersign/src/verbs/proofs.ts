import type { Genuine, KnownToken } from '../cache/known-tokens.ts'
import { sha256 } from '../internal/bytes.ts'
import type { SessionId } from '../session/ids.ts'
import { type Refused, refuse } from '../session/reasons.ts'
import type { Principal } from '../session/types.ts'
import { readAccessToken } from '../tokens/access-token.ts'
import { principalOf } from '../tokens/claims.ts'
import { readMacToken } from '../tokens/mac-token.ts'
import type { AccessFacts, Use } from './check-record.ts'
import type { Core } from './core.ts'

/** What a token proves by itself: enough to ask the store about it without checking its MAC or signature again. */
export interface Proof {
  readonly id: SessionId
  /** Whose it says it is; an opaque token does not say. */
  readonly subject?: string
  readonly tenant?: string
  /** `opaque`: SHA-256 of its secret. */
  readonly hash?: Uint8Array
  /** `allowlist`: what the record is compared with. */
  readonly access?: AccessFacts
  /** `denylist` and `stateless`: what the token alone yields. */
  readonly principal?: Principal
  /** `denylist`. */
  readonly stamp?: number
  readonly jti?: string
}

/** An opened token. */
export interface Opened extends Genuine<Proof> {
  readonly ok: true
  /** It has been opened before. */
  readonly known?: KnownToken<Proof, Use>
}

/** Filled in as soon as the MAC or signature was found right, so that the audit of a refusal can say whose token it was. */
export interface About {
  id?: SessionId
  subject?: string
  tenant?: string
}

/** Structure, MAC or signature, and claims of a token; from memory when it has been opened before. Asks no store. */
export function openToken(core: Core, text: string, about: About): Opened | Refused {
  const known = core.near.find(text)
  if (known) return openAgain(known, core.nowMs(), about)
  return core.strategy.name === 'opaque' ? openOpaque(core, text, about) : openAccess(core, text, about)
}

/** Of what the first opening checked, only the time can have changed. */
function openAgain(known: KnownToken<Proof, Use>, nowMs: number, about: About): Opened | Refused {
  const { proof, sinceMs, untilMs, proofBytes } = known
  tellOf(proof, about)
  if (nowMs >= untilMs) return refuse('expired')
  if (nowMs < sinceMs) return refuse('not_yet_valid')
  return { ok: true, proof, sinceMs, untilMs, proofBytes, known }
}

/** Heap of a proof, for the bounds of the near cache: measured, `bench/near/heap.ts`. */
const PROOF_BYTES = { opaque: 350, allowlist: 350, denylist: 900, stateless: 900 }

function openOpaque(core: Core, text: string, about: About): Opened | Refused {
  const token = readMacToken('cso_', text, core.keys)
  if (!token.ok) return refuse(token.reason)
  const { sessionId: id, secret } = token
  about.id = id
  // A copy of its own: a digest of Node's lies in a buffer outside the heap.
  const proof: Proof = { id, hash: Uint8Array.from(sha256(secret)) }
  const times = { sinceMs: Number.NEGATIVE_INFINITY, untilMs: Number.POSITIVE_INFINITY }
  return { ok: true, proof, ...times, proofBytes: PROOF_BYTES.opaque }
}

/** Structure, signature, claims, and that the token was meant for one of our audiences. */
function openAccess(core: Core, text: string, about: About): Opened | Refused {
  const { strategy, options } = core
  const token = readAccessToken(text, core.keys, options.issuer, core.nowMs(), options.sealed)
  if (!token.ok) return refuse(token.reason)
  const { sid: id, sub: subject, tenant, gen, aud, exp, nbf, jti, stamp } = token.claims
  const whose = { id, subject, ...(tenant !== undefined && { tenant }) }
  tellOf(whose, about)
  if (!aud.some((audience) => options.audience.includes(audience))) return refuse('claim_mismatch')
  const rest = {
    sinceMs: nbf === undefined ? Number.NEGATIVE_INFINITY : nbf * 1_000,
    untilMs: exp * 1_000,
    proofBytes: PROOF_BYTES[strategy.name],
  }
  if (strategy.name === 'allowlist') {
    return { ok: true, proof: { ...whose, access: { gen, exp, aud: shared(aud, options.audience) } }, ...rest }
  }
  if (strategy.name === 'denylist' && stamp === undefined) return refuse('claim_mismatch')
  const principal = principalOf(token.claims)
  return { ok: true, proof: { ...whose, principal, jti, ...(stamp !== undefined && { stamp }) }, ...rest }
}

/** The list that all tokens have which do not ask for less, instead of another one like it. */
function shared(list: readonly string[], usual: readonly string[]): readonly string[] {
  const isUsual = list.length === usual.length && list.every((one, at) => one === usual[at])
  return isUsual ? usual : Object.freeze(list)
}

/** Fills in whose token it is. */
export function tellOf({ id, subject, tenant }: Pick<Proof, 'id' | 'subject' | 'tenant'>, about: About): void {
  about.id = id
  if (subject !== undefined) about.subject = subject
  if (tenant !== undefined) about.tenant = tenant
}
