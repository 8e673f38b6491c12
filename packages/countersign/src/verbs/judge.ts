import { inputDurationMs } from '../internal/duration.ts'
import { invalidInput } from '../internal/errors.ts'
import { type EndReason, type Refused, refuse } from '../session/reasons.ts'
import type { SessionRecord } from '../session/record.ts'
import type { Principal, VerifyOptions } from '../session/types.ts'
import type { Floor, Gone } from '../stores/contract.ts'
import type { Core } from './core.ts'

/** The refusal for a session that is not there any more. */
export function judgeGone(gone: Gone): Refused {
  if (gone.is === 'unknown') return refuse('unknown')
  return judgeEnd(gone.tombstone.why)
}

/** The refusal for a session that something ended. */
export function judgeEnd(why: EndReason): Refused {
  // EndReason is any string, so the two that are refusal reasons of their own are named here.
  if (why === 'reused') return refuse('reused', why)
  if (why === 'rolled_back') return refuse('rolled_back', why)
  return refuse('ended', why)
}

/** The refusal for a record whose time is over, or nothing. */
export function judgeRecord(record: SessionRecord, floor: Floor, nowMs: number): Refused | undefined {
  if (record.createdAtMs <= floor.notBeforeMs) return judgeEnd(floor.why)
  if (record.absoluteAtMs <= nowMs) return refuse('expired_absolute')
  if (record.idleAtMs <= nowMs) return refuse('expired_idle')
  return undefined
}

/** The refusal for a session that lacks what this call demands, or nothing. Never cached: it depends on the call. */
export function judgeDemands(
  core: Pick<Core, 'acrLevels'>,
  principal: Principal,
  demands: VerifyOptions,
  nowMs: number,
): Refused | undefined {
  if (demands.audience !== undefined && !principal.audience.includes(demands.audience)) return refuse('claim_mismatch')
  if (demands.acr !== undefined) {
    const needed = core.acrLevels.indexOf(demands.acr)
    if (needed === -1) throw invalidInput('acr', 'is not one of the option "acrLevels"')
    if (core.acrLevels.indexOf(principal.acr) < needed) return refuse('insufficient_authentication')
  }
  if (demands.maxAge !== undefined && nowMs - principal.authTimeMs > inputDurationMs(demands.maxAge, 'maxAge')) {
    return refuse('insufficient_authentication')
  }
  if (demands.roles !== undefined && !Array.isArray(demands.roles)) throw invalidInput('roles', 'must be a list')
  if (demands.roles !== undefined && !demands.roles.some((role) => principal.roles.includes(role))) {
    return refuse('forbidden')
  }
  return undefined
}
