import type { SessionId } from '../session/ids.ts'
import type { Found, LastRead } from './contract.ts'

/**
 * A store whose reads can be gone on with in the same promise: nearly every request without a near cache is one, and each
 * promise more costs as much as a look-up. Not part of the contract: only what this library puts around a store has it.
 */
export interface ReadFor {
  /** `read`, and what `made` makes of what it found. */
  readFor?<R>(id: SessionId, last: LastRead | undefined, made: (found: Found) => R): Promise<R>
}
