import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import type { WebSocket, WebSocketServer } from 'ws'
import { problemOf, problemOfFault } from '../../http/problem.ts'
import type { HttpRefused } from '../../http/refusals.ts'
import { refuseUnknown } from '../../strategies/options.ts'
import { ADMISSION_OPTIONS, type AdmissionOptions, createAdmission, factsOf } from '../live/admission.ts'
import type { LiveEnd } from '../live/ends.ts'
import { answerRaw } from '../live/raw-answer.ts'
import type { LiveConnection } from '../live/types.ts'
import { closeReason, WS_CLOSE_CODES } from './close.ts'
import { takeTicket } from './ticket-protocol.ts'

/** What `guardUpgrades` takes. */
export interface WsOptions<P> extends AdmissionOptions<P> {
  /** Called for each connection, after the `connection` event of the server. What it throws is an `error` event of the server. */
  onConnection(socket: WebSocket, connection: LiveConnection<P>, request: IncomingMessage): void
  /** Roles or data of the session are different: tell the client in the application's own way. */
  onChanged?(socket: WebSocket, session: P, before: P): void
}

/** RFC 6455 section 7.4.1. */
const INTERNAL_ERROR = 1011
const OPTIONS = new Set([...ADMISSION_OPTIONS, 'onConnection', 'onChanged'])

/**
 * Makes the listener for `upgrade` events that lets only sessions in: checks the origin, finds the cookie, the `Bearer`
 * header or the ticket, and has the answer of the store before anything is upgraded. Refused: 400, 401, 403, 404 for
 * another `path` than that of `server`, 503 while the store does not answer, with `problem+json`, and the TCP connection ends.
 *
 * When the session ends, the client gets a close frame (`WS_CLOSE_CODES`) with the reason, no message of it reaches the
 * application any more, and after `closeGrace` the connection is cut.
 *
 * @param server - Made with `noServer: true`. Its `connection` event is emitted as ever.
 * @throws CountersignError `ERR_CONFIG_INVALID`, naming the option.
 */
export function guardUpgrades<P>(
  server: WebSocketServer,
  options: WsOptions<P>,
): (request: IncomingMessage, socket: Duplex, head: Buffer) => void {
  refuseUnknown(options, OPTIONS, 'guardUpgrades')
  const admission = createAdmission(options)
  const { live, onConnection, onChanged } = options
  const { timers } = live.host.runtime

  const closeSocket = (socket: WebSocket, end: LiveEnd) =>
    new Promise<void>((resolve) => {
      if (socket.readyState === socket.CLOSED) return resolve()
      deafen(socket)
      const timer = timers.setTimeout(() => socket.terminate(), live.host.closeGraceMs)
      socket.once('close', () => {
        timers.clearTimeout(timer)
        resolve()
      })
      socket.close(WS_CLOSE_CODES[end.kind], closeReason(end))
    })

  const upgrade = async (request: IncomingMessage, socket: Duplex, head: Buffer): Promise<HttpRefused | undefined> => {
    let upgraded: WebSocket | undefined
    let ended: LiveEnd | undefined
    const taken = takeTicket(request)
    if (!taken.ok) return taken
    const admitted = await admission.admit(
      factsOf(request),
      'websocket',
      {
        end(end) {
          if (upgraded) return closeSocket(upgraded, end)
          ended = end
        },
        changed: (session, before) => upgraded && onChanged?.(upgraded, session, before),
      },
      taken.ticket,
    )
    if (!admitted.ok) return admitted
    const { connection } = admitted
    // Also where the server of `ws` refuses the handshake, or the client has gone.
    socket.once('close', () => connection.release())
    if (socket.destroyed) {
      connection.release()
      return undefined
    }
    server.handleUpgrade(request, socket, head, (one) => {
      upgraded = one
      // A frame that is no frame must not end the process. `close` follows.
      one.on('error', () => undefined)
      if (live.host.countsMessages) one.on('message', () => connection.received())
      if (ended) return void closeSocket(one, ended)
      try {
        server.emit('connection', one, request)
        onConnection(one, connection, request)
      } catch (error) {
        // As a listener of `ws` that throws: unless somebody listens for errors of the server, it ends the process.
        one.close(INTERNAL_ERROR)
        queueMicrotask(() => server.emit('error', error))
      }
    })
    return undefined
  }

  return (request, socket, head) => {
    const onError = () => socket.destroy()
    socket.on('error', onError)
    if (!server.shouldHandle(request)) return answerRaw(socket, 404)
    upgrade(request, socket, head).then(
      (refused) => {
        if (refused) answerRaw(socket, problemOf(refused))
      },
      (fault) => answerRaw(socket, problemOfFault(fault)),
    )
  }
}

/** Whoever listens for messages hears none any more: `ws` hands over what arrives before the peer's close frame. */
function deafen(socket: WebSocket): void {
  socket.removeAllListeners('message')
  socket.on('newListener', (event) => {
    if (event === 'message') queueMicrotask(() => socket.removeAllListeners('message'))
  })
}
