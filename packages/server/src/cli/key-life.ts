import type { Duration, RotatedUse } from 'countersign'
import type { Config } from '../config/resolve.ts'

const UNIT_MS = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const
/** How long others may keep our JWK Set: `routes/jwks.ts`. */
const JWKS_CACHE_MS = 300_000
/** The longest life of a link. */
const LINK_MS = 86_400_000

/** How long after it went out of use something that a key made may still be presented, and what that is. */
export function acceptedFor(
  use: RotatedUse | 'sealing',
  { strategy, accessLifetime, refreshLifetime, absolute }: Config,
): { readonly forMs: number; readonly because: string } {
  if (use === 'signing' || use === 'sealing') {
    return { forMs: millisecondsOf(accessLifetime) + JWKS_CACHE_MS, because: 'access tokens live that long' }
  }
  if (strategy === 'opaque') {
    return {
      forMs: Math.max(millisecondsOf(absolute), LINK_MS),
      because: 'the token of a session stays the same until it ends',
    }
  }
  const refreshMs = Math.min(millisecondsOf(refreshLifetime), millisecondsOf(absolute))
  return { forMs: Math.max(refreshMs, LINK_MS), because: 'refresh tokens and links live that long' }
}

/** Of a duration that the configuration has accepted. */
function millisecondsOf(duration: Duration): number {
  return Number(duration.slice(0, -1)) * UNIT_MS[duration.at(-1) as keyof typeof UNIT_MS]
}
