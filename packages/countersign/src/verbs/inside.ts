import type { Runtime } from '../internal/runtime.ts'
import type { Refused } from '../session/reasons.ts'
import type { Context, Principal, VerifyOptions } from '../session/types.ts'
import type { Keys } from '../tokens/keys.ts'
import { type Core, tell } from './core.ts'
import { judgeDemands } from './judge.ts'

/** What adapters need of sessions beside their verbs. */
export interface Inside {
  /** Store time in milliseconds. */
  nowMs(): number
  readonly keys: Keys
  readonly runtime: Runtime
  readonly renews: boolean
  /** Judges a session that has just been verified by the demands of another guard, and tells of a refusal as `verify` does. */
  judge(session: Principal, demands: VerifyOptions, context: () => Context): Refused | undefined
}

const insides = new WeakMap<object, Inside>()

/** Called by `createSessions`. */
export function keepInside(sessions: object, core: Core): void {
  insides.set(sessions, {
    nowMs: core.nowMs,
    get keys() {
      return core.keys
    },
    runtime: core.runtime,
    renews: core.strategy.renews,
    judge(session, demands, context) {
      const refusal = judgeDemands(core, session, demands, core.nowMs())
      if (refusal === undefined) return undefined
      const { sessionId: id, subject, tenant } = session
      const about = { subject, ...(id !== undefined && { id }), ...(tenant !== undefined && { tenant }) }
      tell(core, { type: 'session_refused', reason: refusal.reason }, about, context())
      return refusal
    },
  })
}

/** Absent for verifiers that `createSessions` did not make, and for whatever somebody put around one. */
export function insideOf(sessions: object): Inside | undefined {
  return insides.get(sessions)
}
