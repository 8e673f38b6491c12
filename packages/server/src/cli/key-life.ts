import type { Duration, RotatedUse } from 'countersign'
import type { Config } from '../config/resolve.ts'
import { TAKEN_UP_MS } from '../follow-keys.ts'
import { JWKS_CACHE_SECONDS } from '../routes/jwks.ts'

const UNIT_MS = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const
const JWKS_CACHE_MS = JWKS_CACHE_SECONDS * 1_000
/** The longest life of a link. */
const LINK_MS = 86_400_000

interface Wait {
  readonly forMs: number
  readonly because: string
}

/** How long a key has to be published before one server may use it, and why. */
export function publishedFor(use: RotatedUse): Wait {
  if (use === 'signing') {
    return { forMs: TAKEN_UP_MS + JWKS_CACHE_MS, because: 'others may keep the JWK Set that long' }
  }
  return { forMs: TAKEN_UP_MS, because: 'until then a server may not know it' }
}

/** How long after it went out of use something that a key made may still be presented, and what that is. */
export function acceptedFor(use: RotatedUse, config: Config): Wait {
  const { forMs, because } = livesFor(use, config)
  // The last server to take up the change used it until then.
  return { forMs: forMs + TAKEN_UP_MS, because }
}

function livesFor(use: RotatedUse, { strategy, accessLifetime, refreshLifetime, absolute }: Config): Wait {
  if (use === 'signing' || use === 'sealing') {
    // Somebody else's leeway, and service tokens, which may live longer, are within the time of the cache.
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
