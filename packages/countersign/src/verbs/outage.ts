import { MAX_WITHIN_MS } from '../cache/lately-verified.ts'
import { inputDurationMs } from '../internal/duration.ts'
import { type CountersignError, invalidInput } from '../internal/errors.ts'
import { type Refused, refuse } from '../session/reasons.ts'
import type { Degraded, OutagePolicy, VerifyOptions } from '../session/types.ts'
import { type Core, tell } from './core.ts'
import { type About, openToken } from './proofs.ts'

const MIN_WITHIN_MS = 1_000

/** Milliseconds of `verifiedWithin`. */
export function checkOutage(outage: OutagePolicy): number {
  if (typeof outage !== 'object' || outage === null) throw invalidInput('outage', 'must be an object')
  for (const name of Object.keys(outage))
    if (name !== 'verifiedWithin') throw invalidInput('outage', 'has a member that is not an option')
  return inputDurationMs(outage.verifiedWithin, 'outage.verifiedWithin', MIN_WITHIN_MS, MAX_WITHIN_MS)
}

/**
 * What may be said of a token although the store did not answer. The token itself is checked as ever; the rest is what this
 * process knew: that the session was live so short a time ago, and of no change since. Its deadlines and the floor go on.
 *
 * @throws The fault, where that is not enough.
 */
export function recall(
  core: Core,
  token: string,
  demands: VerifyOptions,
  { withinMs, fault }: { readonly withinMs: number; readonly fault: CountersignError },
  about: About,
): Degraded | Refused {
  // What these ask for is what only the store knows now.
  if (demands.fresh || demands.roles !== undefined || demands.acr !== undefined || demands.maxAge !== undefined)
    throw fault
  const opened = openToken(core, token, about)
  if (!opened.ok) return opened
  const { lately } = core.near
  const verified = lately.find(token, withinMs)
  if (!verified) throw fault
  const { id, session, bornMs, overMs, ageMs } = verified
  if (core.nowMs() >= overMs || bornMs <= (core.floor.known()?.notBeforeMs ?? 0)) throw fault
  if (core.revoker.concerns(id)) throw fault
  if (demands.audience !== undefined && !session.audience.includes(demands.audience)) return refuse('claim_mismatch')
  if (lately.serve(verified)) {
    const { subject, tenant } = session
    const whose = { id, subject, ...(tenant !== undefined && { tenant }) }
    tell(core, { type: 'served_degraded', code: fault.code, ageMs: Math.round(ageMs) }, whose, demands.context)
  }
  return Object.freeze({ ok: true, degraded: true, session })
}
