import type { Incarnation } from '../stores/contract.ts'

/** Different primaries that an epoch can tell apart. Eleven bits leave room for milliseconds until the year 2109. */
const PRIMARIES = 2_048

/**
 * The epoch as callers see it: with the primary that told it. After a failover the same epoch may be one that has
 * forgotten a ban, so a login that spans the failover must not pass. Only to be handed on to `issue({ ifEpoch })`.
 */
export function epochFor(epoch: number, by: Incarnation | undefined): number {
  return epoch * PRIMARIES + numberOf(by)
}

/** What the store is asked to compare. */
export function epochOf(visible: number): { readonly epoch: number; readonly primary: number } {
  return { epoch: Math.floor(visible / PRIMARIES), primary: visible % PRIMARIES }
}

/** The first eleven bits of an incarnation; `scripts/includes/primary.lua` has the same. */
function numberOf(by: Incarnation | undefined): number {
  return by === undefined ? 0 : Math.floor((Number.parseInt(by.slice(0, 3), 16) || 0) / 2)
}
