import { type RequestRefused, refuseRequest } from '../../http/refusals.ts'
import type { RequestFacts } from '../../http/request.ts'

/** How a connection is opened: a WebSocket handshake, or a request as `fetch` and `EventSource` make it. */
export type Opening = 'websocket' | 'fetch'

/** What a handshake says of itself. */
export interface HandshakeRule {
  readonly origins: readonly string[]
  readonly opening: Opening
  /** It carries one of our cookies: a browser may have added them without being asked. */
  readonly ourCookies: boolean
}

/**
 * The defence against pages of others that open a connection as the user who looks at them (ASVS 4.4.2). A handshake is a
 * `GET`, so `checkOrigin` would let it pass.
 *
 * `Origin` decides where it is there, and browsers send it with every WebSocket handshake: it has to be one of ours,
 * exactly. A page of our own origin leaves it out of a `GET`, so there Fetch Metadata decides next, and `Referer` last. What says
 * nothing passes only without our cookies, as programs do.
 */
export function checkHandshake(
  request: RequestFacts,
  { origins, opening, ourCookies }: HandshakeRule,
): { readonly ok: true } | RequestRefused {
  const [origin, site, referer] = ['origin', 'sec-fetch-site', 'referer'].map((name) => request.header(name))
  for (const value of [origin, site, referer])
    if (Array.isArray(value) && value.length > 1) return refuseRequest('origin_foreign')
  const from = single(origin)
  if (from !== undefined) return origins.includes(from) ? { ok: true } : refuseRequest('origin_foreign')
  if (opening === 'fetch') {
    const metadata = single(site)
    if (metadata !== undefined)
      return metadata === 'same-origin' || metadata === 'none' ? { ok: true } : refuseRequest('origin_foreign')
    const page = single(referer)
    if (page !== undefined) {
      const pageOrigin = URL.canParse(page) ? new URL(page).origin : 'null'
      return origins.includes(pageOrigin) ? { ok: true } : refuseRequest('origin_foreign')
    }
  }
  return ourCookies ? refuseRequest('origin_unproven') : { ok: true }
}

function single(value: string | readonly string[] | undefined): string | undefined {
  return typeof value === 'object' ? value[0] : value
}
