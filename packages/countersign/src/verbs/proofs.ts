import { sha256 } from '../internal/bytes.ts'
import { type SessionId, tagOfId } from '../session/ids.ts'
import { type Refused, refuse } from '../session/reasons.ts'
import type { Principal } from '../session/types.ts'
import { readAccessToken } from '../tokens/access-token.ts'
import { principalOf } from '../tokens/claims.ts'
import { readMacToken } from '../tokens/mac-token.ts'
import type { AccessFacts } from './check-record.ts'
import type { Core } from './core.ts'

/** What a token proves by itself: enough to ask the store about it without checking its MAC or signature again. */
export interface Proof {
  readonly id: SessionId
  readonly tag: string
  /** Whose it says it is; an opaque token does not say. */
  readonly subject?: string
  readonly tenant?: string
  /** `opaque`: SHA-256 of its secret. */
  readonly hash?: Uint8Array
  /** `allowlist`: what the record is compared with. */
  readonly facts?: AccessFacts
  /** `denylist` and `stateless`: what the token alone yields. */
  readonly principal?: Principal
  /** `denylist`. */
  readonly stamp?: number
  readonly jti?: string
}

/** An opened token, with its own time: accepted from `sinceMs` on, refused from `untilMs` on. */
export interface Opened {
  readonly ok: true
  readonly proof: Proof
  readonly sinceMs: number
  readonly untilMs: number
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
function openAgain(known: Omit<Opened, 'ok'>, nowMs: number, about: About): Opened | Refused {
  const { proof, sinceMs, untilMs } = known
  tellOf(proof, about)
  if (nowMs >= untilMs) return refuse('expired')
  if (nowMs < sinceMs) return refuse('not_yet_valid')
  return { ok: true, proof, sinceMs, untilMs }
}

function openOpaque(core: Core, text: string, about: About): Opened | Refused {
  const token = readMacToken('cso_', text, core.keys)
  if (!token.ok) return refuse(token.reason)
  const { sessionId: id, secret } = token
  // A copy of its own: a digest of Node's lies in a buffer outside the heap.
  const proof: Proof = { id, tag: tagOfId(id), hash: Uint8Array.from(sha256(secret)) }
  tellOf(proof, about)
  return { ok: true, proof, sinceMs: Number.NEGATIVE_INFINITY, untilMs: Number.POSITIVE_INFINITY }
}

/** Structure, signature, claims, and that the token was meant for one of our audiences. */
function openAccess(core: Core, text: string, about: About): Opened | Refused {
  const { strategy, options } = core
  const token = readAccessToken(text, core.keys, options.issuer, core.nowMs(), options.sealed)
  if (!token.ok) return refuse(token.reason)
  const { claims } = token
  const { sid: id, sub: subject, tenant, gen, aud, exp, nbf, jti, stamp } = claims
  const named = { id, tag: tagOfId(id), subject, ...(tenant !== undefined && { tenant }) }
  tellOf(named, about)
  if (!aud.some((audience) => options.audience.includes(audience))) return refuse('claim_mismatch')
  const times = { sinceMs: nbf === undefined ? Number.NEGATIVE_INFINITY : nbf * 1_000, untilMs: exp * 1_000 }
  if (strategy.name === 'allowlist') {
    const facts = { sub: subject, ...(tenant !== undefined && { tenant }), gen, aud, exp }
    return { ok: true, proof: { ...named, facts }, ...times }
  }
  if (strategy.name === 'denylist' && stamp === undefined) return refuse('claim_mismatch')
  const principal = principalOf(claims)
  return { ok: true, proof: { ...named, principal, jti, ...(stamp !== undefined && { stamp }) }, ...times }
}

/** Fills in whose token it is. */
export function tellOf({ id, subject, tenant }: Pick<Proof, 'id' | 'subject' | 'tenant'>, about: About): void {
  about.id = id
  if (subject !== undefined) about.subject = subject
  if (tenant !== undefined) about.tenant = tenant
}
