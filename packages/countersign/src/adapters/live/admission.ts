import type { IncomingMessage } from 'node:http'
import { type CookieNames, resolveCookieNames } from '../../http/cookie-options.ts'
import { carriesCookies } from '../../http/cookies.ts'
import { findCredentials } from '../../http/credentials.ts'
import { resolveOrigins } from '../../http/origin-proof.ts'
import { type HttpRefused, refuseRequest } from '../../http/refusals.ts'
import type { RequestFacts } from '../../http/request.ts'
import { invalidOption } from '../../internal/errors.ts'
import type { OneTimeRefusalReason } from '../../one-time/types.ts'
import { type RefusalReason, refuse } from '../../session/reasons.ts'
import type { Context, FollowDemands } from '../../session/types.ts'
import { checkHandshake, type Opening } from './origin.ts'
import type { SocketTickets, TicketHolder } from './tickets.ts'
import type { LiveConnection, LiveConnections, Wire } from './types.ts'

/** What every adapter of live connections takes. The demands are those of `follow`. */
export interface AdmissionOptions<P> extends FollowDemands {
  live: LiveConnections<P>
  /**
   * Where pages that may connect come from, exactly: `https://app.example.com`. Our own origin has to be there too. Empty:
   * only programs connect.
   */
  origins: readonly string[]
  /** Names of the cookies. Default those of `countersign/http`. */
  cookies?: Partial<CookieNames>
  /** Default: no tickets are taken. */
  tickets?: SocketTickets
  /** What the tickets have to be `for`. Default `socket`. */
  ticketsFor?: string
}

/** Who may connect, made once from the options. */
export interface Admission<P> {
  /** Whether it comes from a page that may connect. Asks nobody. */
  origin(request: RequestFacts, opening: Opening): { readonly ok: true } | HttpRefused
  /**
   * Whose connection it is to be. At most one store read.
   *
   * @param ticket - If one came. Then cookies are not looked at: browsers add them unasked.
   */
  identify(request: RequestFacts, ticket?: string): Promise<({ readonly ok: true } & Identified) | HttpRefused>
  /** Gives the session the connection: see `LiveConnections.open`. */
  open(
    who: Identified,
    wire: Wire<P>,
  ): Promise<{ readonly ok: true; readonly connection: LiveConnection<P> } | HttpRefused>
  /** The three after each other. */
  admit(
    request: RequestFacts,
    opening: Opening,
    wire: Wire<P>,
    ticket?: string,
  ): Promise<{ readonly ok: true; readonly connection: LiveConnection<P> } | HttpRefused>
  readonly takesTickets: boolean
}

/** The session that a handshake proved. */
export type Identified = Pick<TicketHolder, 'sessionId' | 'subject' | 'tenant'>

/** Option names of {@link AdmissionOptions}, for the checks of the adapters. */
export const ADMISSION_OPTIONS = [
  'live',
  'origins',
  'cookies',
  'tickets',
  'ticketsFor',
  'audience',
  'roles',
  'acr',
  'maxAge',
] as const

/** @throws CountersignError `ERR_CONFIG_INVALID`, naming the option. */
export function createAdmission<P>(options: AdmissionOptions<P>): Admission<P> {
  const { live, tickets, ticketsFor = 'socket', audience, roles, acr, maxAge } = options
  if (!live?.host) throw invalidOption('live', 'must be what liveConnections() made')
  if (!Array.isArray(options.origins)) throw invalidOption('origins', 'must be a list')
  const origins = resolveOrigins(options.origins)
  const names = resolveCookieNames(options.cookies)
  const demands: FollowDemands = {
    ...(audience !== undefined && { audience }),
    ...(roles !== undefined && { roles }),
    ...(acr !== undefined && { acr }),
    ...(maxAge !== undefined && { maxAge }),
  }
  const { sessions } = live.host

  const admission: Admission<P> = {
    takesTickets: tickets !== undefined,

    origin(request, opening) {
      return checkHandshake(request, { origins, opening, ourCookies: carriesCookies(request, names) })
    },

    async identify(request, ticket) {
      const context = contextOf(request)
      if (ticket !== undefined) {
        if (!tickets) return refuse('missing')
        if (request.header('authorization') !== undefined) return refuseRequest('credential_twice')
        const redeemed = await tickets.redeem(ticket, { for: ticketsFor, context })
        return redeemed.ok ? redeemed : refuse(TICKET_REFUSALS[redeemed.reason])
      }
      const found = findCredentials(request, { names })
      if (!found.ok) return found
      if (!found.access) return refuse('missing')
      const checked = await sessions.verify(found.access.token, { ...demands, context })
      if (!checked.ok) return checked
      const { sessionId, subject, tenant } = checked.session
      return { ok: true, sessionId, subject, ...(tenant !== undefined && { tenant }) }
    },

    async open(who, wire) {
      const opened = await live.open(who.sessionId, wire, demands)
      if (!opened.ok) return opened
      const { subject, tenant } = opened.connection.session as { subject?: string; tenant?: string }
      if (subject === who.subject && tenant === who.tenant) return opened
      opened.connection.release()
      return refuse('unknown')
    },

    async admit(request, opening, wire, ticket) {
      const origin = admission.origin(request, opening)
      if (!origin.ok) return origin
      const who = await admission.identify(request, ticket)
      return who.ok ? admission.open(who, wire) : who
    },
  }
  return Object.freeze(admission)
}

/** What is wrong with a ticket, as a refusal of a request. A new ticket helps, which takes a session. */
const TICKET_REFUSALS: Readonly<Record<OneTimeRefusalReason, RefusalReason>> = {
  malformed: 'malformed',
  bad_signature: 'bad_signature',
  wrong_purpose: 'claim_mismatch',
  state_changed: 'claim_mismatch',
  unknown: 'unknown',
}

function contextOf(request: RequestFacts): Context {
  const userAgent = request.header('user-agent')
  return typeof userAgent === 'string' ? { userAgent } : {}
}

/** The facts of a request that Node received. */
export function factsOf(request: IncomingMessage): RequestFacts {
  // HTTP/2 has no `headersDistinct`, and no repeated fields that it would hide.
  const headers = request.headersDistinct ?? request.headers
  return {
    method: request.method ?? 'GET',
    header(name) {
      const value = headers[name]
      return Array.isArray(value) && value.length === 1 ? value[0] : value
    },
  }
}
