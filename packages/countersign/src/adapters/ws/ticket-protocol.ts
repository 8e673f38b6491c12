import type { IncomingMessage } from 'node:http'
import { type RequestRefused, refuseRequest } from '../../http/refusals.ts'

/** A protocol without a meaning, for clients that have none: browsers want one of those that they offered to be chosen. */
export const SOCKET_PROTOCOL = 'countersign'
/** Before the ticket: `new WebSocket(url, ['countersign', 'countersign.ticket.' + ticket])`. */
export const TICKET_PROTOCOL = 'countersign.ticket.'

const HEADER = 'sec-websocket-protocol'

/**
 * Takes the ticket out of the protocols that a client offers, so that nobody logs it, and `ws` does not choose and answer
 * it. Refused when there are two.
 */
export function takeTicket(
  request: IncomingMessage,
): { readonly ok: true; readonly ticket: string | undefined } | RequestRefused {
  const offered = request.headers[HEADER]
  if (offered === undefined || !offered.includes(TICKET_PROTOCOL)) return { ok: true, ticket: undefined }
  const protocols = offered.split(',').map((one) => one.trim())
  const tickets = protocols.filter((one) => one.startsWith(TICKET_PROTOCOL))
  const rest = protocols.filter((one) => !one.startsWith(TICKET_PROTOCOL)).join(', ')
  if (rest === '') delete request.headers[HEADER]
  else request.headers[HEADER] = rest
  hideRaw(request, rest)
  if (tickets.length > 1) return refuseRequest('credential_twice')
  return { ok: true, ticket: tickets[0]?.slice(TICKET_PROTOCOL.length) }
}

function hideRaw({ rawHeaders }: IncomingMessage, rest: string): void {
  for (let n = 0; n + 1 < rawHeaders.length; n += 2)
    if (rawHeaders[n]!.toLowerCase() === HEADER) rawHeaders[n + 1] = rest
}
