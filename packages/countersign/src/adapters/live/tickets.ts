import type { Emitter } from '../../events/emitter.ts'
import type { Duration } from '../../internal/duration.ts'
import type { Runtime } from '../../internal/runtime.ts'
import { createOneTime } from '../../one-time/create-one-time.ts'
import type { OneTimeEvent, OneTimeRefused } from '../../one-time/types.ts'
import type { SessionId } from '../../session/ids.ts'
import type { Context } from '../../session/types.ts'
import type { Store } from '../../stores/contract.ts'
import type { Keyring } from '../../tokens/keyring.ts'
import { parseSessionId } from '../../tokens/session-id.ts'

/** What `socketTickets` takes. */
export interface SocketTicketsOptions {
  /** The store that the sessions use, or another one. */
  store: Pick<Store, 'once'> & Partial<Store>
  /** The one that the sessions use. */
  keyring: Keyring
  /** Clock, random source and timers: for tests. */
  runtime?: Runtime
}

/** The session that a ticket stands for. */
export interface TicketHolder {
  readonly sessionId: SessionId
  readonly subject: string
  readonly tenant?: string
}

/** Tickets that open a socket for a session that has proved itself over HTTPS (ASVS 4.4.2). */
export interface SocketTickets {
  /**
   * Makes a ticket. Hand it out over the HTTPS session, by `POST`, in the body of an answer that nobody keeps
   * (`Cache-Control: no-store`). One round trip.
   *
   * @param options.for - What it is good for, 1 to 64 characters: one endpoint, one namespace. Default `socket`.
   * @param options.lifetime - At most, and by default, 30 s.
   */
  issue(
    holder: TicketHolder,
    options?: { for?: string; lifetime?: Duration; context?: Context },
  ): Promise<{ readonly ticket: string; readonly expiresAtMs: number }>
  /**
   * Uses a ticket up: of any number of calls, in any process, one succeeds. Says nothing of whether the session is still
   * live. One round trip, none for a forged one.
   */
  redeem(
    ticket: string,
    options?: { for?: string; context?: Context },
  ): Promise<({ readonly ok: true } & TicketHolder) | OneTimeRefused>
  /** For the audit. Never a ticket. */
  readonly events: Emitter<OneTimeEvent>
}

/**
 * Tickets for clients that can send neither a cookie nor a header when they open a socket: browsers on another site, a
 * socket of another host. They have one-time tokens of their own, so that whoever mails those of accounts never hears of a
 * ticket.
 */
export function socketTickets(options: SocketTicketsOptions): SocketTickets {
  const { store, keyring, runtime } = options
  const oneTime = createOneTime({ store, keyring, ...(runtime && { runtime }) })
  return Object.freeze({
    async issue(
      { sessionId, subject, tenant }: TicketHolder,
      o: { for?: string; lifetime?: Duration; context?: Context } = {},
    ) {
      const { id, expiresAtMs } = await oneTime.issue({
        purpose: 'socket_ticket',
        subject: tenant === undefined ? subject : { subject, tenant },
        boundTo: o.for ?? 'socket',
        data: sessionId,
        ...(o.lifetime !== undefined && { lifetime: o.lifetime }),
        ...(o.context && { context: o.context }),
      })
      return { ticket: oneTime.tokenFor(id) as string, expiresAtMs }
    },
    async redeem(ticket: string, o: { for?: string; context?: Context } = {}) {
      const context = o.context && { context: o.context }
      const redeemed = await oneTime.redeem(ticket, {
        purpose: 'socket_ticket',
        boundTo: o.for ?? 'socket',
        ...context,
      })
      if (!redeemed.ok) return redeemed
      const sessionId = parseSessionId(redeemed.data ?? '')
      // One that somebody made with `createOneTime`, and for something else.
      if (sessionId === undefined) return { ok: false as const, reason: 'wrong_purpose' as const }
      const { subject, tenant } = redeemed
      return { ok: true as const, sessionId, subject, ...(tenant !== undefined && { tenant }) }
    },
    events: oneTime.events,
  })
}
