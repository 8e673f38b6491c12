import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Namespace, Server, Socket } from 'socket.io'
import { type Problem, type ProblemAnswer, problemOf, problemOfFault } from '../../http/problem.ts'
import type { HttpRefused } from '../../http/refusals.ts'
import { CountersignError, invalidOption } from '../../internal/errors.ts'
import { refuse } from '../../session/reasons.ts'
import { refuseUnknown } from '../../strategies/options.ts'
import { sameTexts } from '../../verbs/followed.ts'
import {
  ADMISSION_OPTIONS,
  type AdmissionOptions,
  createAdmission,
  factsOf,
  type Identified,
} from '../live/admission.ts'
import type { LiveEnd } from '../live/ends.ts'
import { answerRaw } from '../live/raw-answer.ts'
import type { LiveConnection } from '../live/types.ts'

/** Names of the events that the adapter sends to clients. */
export const SESSION_EVENTS = Object.freeze({
  /** Before the server disconnects: `{ reason, remedy, reconnect }`. */
  over: 'session:over',
  /** `{ roles }`. */
  changed: 'session:changed',
})

/** What `guardSocketIo` takes. */
export interface SocketIoOptions<P> extends AdmissionOptions<P> {
  /** Roles or data of the session are different. The client has been told the roles. */
  onChanged?(socket: Socket, session: P, before: P): void
}

/** What `guardSocketIo` gives. */
export interface SocketIoGuard<P> {
  /**
   * The connection behind a socket of a guarded namespace, in its `connection` event and after.
   *
   * @throws CountersignError `ERR_INPUT_INVALID` for another socket.
   */
  connectionOf(socket: Socket): LiveConnection<P>
}

const OPTIONS = new Set([...ADMISSION_OPTIONS, 'onChanged'])

/**
 * Lets only sessions into a server of socket.io, in every namespace that there is or will be.
 *
 * The request that opens a connection, over polling or WebSocket, is refused with 400, 401, 403 or 503 and `problem+json`. Where
 * `tickets` are taken, one without a cookie or `Bearer` header passes so far, and has to bring a ticket when it connects to a namespace:
 * `io({ auth: { ticket } })`. There a refusal is a `connect_error` whose `data` is the problem.
 *
 * When the session ends, the client gets `session:over` and is disconnected. Where it is worth trying again, only the transport is
 * closed, so that the client of socket.io connects again by itself. When roles change it gets `session:changed`.
 *
 * @param io - Attached to its HTTP server already.
 * @throws CountersignError `ERR_CONFIG_INVALID`, naming the option; `ERR_CONFIG_UNSAFE` where recovered connections skip
 * middleware, which would let them in unasked.
 */
export function guardSocketIo<P extends { readonly roles: readonly string[] }>(
  io: Server<any, any, any, any>,
  options: SocketIoOptions<P>,
): SocketIoGuard<P> {
  refuseUnknown(options, OPTIONS, 'guardSocketIo')
  const admission = createAdmission(options)
  const { live, onChanged } = options
  if (typeof io?.engine?.use !== 'function') throw invalidOption('io', 'must be attached to its HTTP server first')
  refuseSkippedMiddleware(io)
  const { timers } = live.host.runtime
  /** By the request that opened the transport. */
  const identified = new WeakMap<IncomingMessage, Identified>()
  const connections = new WeakMap<Socket, LiveConnection<P>>()

  const checkRequest = async (request: IncomingMessage): Promise<HttpRefused | undefined> => {
    const facts = factsOf(request)
    const origin = admission.origin(facts, isUpgrade(request) ? 'websocket' : 'fetch')
    if (!origin.ok) return origin
    // Of a connection that is open: its id is a secret between the two. Read as engine.io does: the last one, unless it is empty.
    if (new URL(request.url ?? '', 'http://localhost').searchParams.getAll('sid').at(-1)) return undefined
    const who = await admission.identify(facts)
    if (who.ok) identified.set(request, who)
    else if (who.reason !== 'missing' || !admission.takesTickets) return who
    return undefined
  }
  io.engine.use((request: IncomingMessage, response: ServerResponse, next: (error?: Error) => void) => {
    // What asks whether it may ask has no credentials: the CORS rules of socket.io answer it.
    if (request.method === 'OPTIONS') return next()
    checkRequest(request)
      .then((refused) => refused && problemOf(refused), problemOfFault)
      .then((answer) => (answer ? answerHttp(request, response, answer) : next()))
  })

  const admit = async (socket: Socket): Promise<ProblemAnswer | undefined> => {
    const { ticket } = socket.handshake.auth as { ticket?: unknown }
    if (typeof ticket === 'string' && admission.takesTickets) {
      // The header was looked at when the transport was opened.
      const who = await admission.identify(WITHOUT_HEADERS, ticket)
      if (!who.ok) return problemOf(who)
      identified.set(socket.request, who)
    }
    const who = identified.get(socket.request)
    if (!who) return problemOf(refuse('missing'))
    const opened = await admission.open(who, {
      end: (end) => endSocket(socket, end),
      changed(session, before) {
        if (!sameTexts(session.roles, before.roles)) socket.emit(SESSION_EVENTS.changed, { roles: session.roles })
        onChanged?.(socket, session, before)
      },
    })
    if (!opened.ok) return problemOf(opened)
    const { connection } = opened
    connections.set(socket, connection)
    // Also where another middleware refuses it, and it never connects.
    socket.conn.once('close', () => connection.release())
    socket.once('disconnect', () => connection.release())
    if (socket.conn.readyState !== 'open') connection.release()
    return undefined
  }

  const endSocket = (socket: Socket, end: LiveEnd) =>
    new Promise<void>((resolve) => {
      const { conn } = socket
      if (conn.readyState === 'closed') return resolve()
      const timer = timers.setTimeout(() => conn.close(true), live.host.closeGraceMs)
      conn.once('close', () => {
        timers.clearTimeout(timer)
        resolve()
      })
      const { reason, remedy, reconnect } = end
      if (socket.connected) socket.emit(SESSION_EVENTS.over, { reason, remedy, reconnect })
      // A client that was disconnected stays away; one whose transport closed comes back.
      if (socket.connected && !reconnect) socket.disconnect(true)
      else {
        // Nothing that it still sends reaches the application, which hears that it has gone.
        socket.use(() => undefined)
        socket.offAny()
        conn.close()
      }
    })

  const guardNamespace = (namespace: Namespace) => {
    namespace.use((socket, next) => {
      admit(socket)
        .catch(problemOfFault)
        .then((answer) => next(answer && connectError(answer.body)))
    })
    namespace.on('connection', (socket) => {
      const connection = connections.get(socket)
      if (!connection?.isOpen) socket.disconnect(true)
      else if (live.host.countsMessages) socket.onAny(() => connection.received())
    })
  }
  for (const namespace of io._nsps.values()) guardNamespace(namespace)
  io.on('new_namespace', guardNamespace)

  return Object.freeze({
    connectionOf(socket: Socket) {
      const connection = connections.get(socket)
      if (!connection)
        throw new CountersignError('ERR_INPUT_INVALID', '"socket" is not one that guardSocketIo has let in')
      return connection
    },
  })
}

const WITHOUT_HEADERS = { method: 'GET', header: () => undefined }

const isUpgrade = (request: IncomingMessage) => request.headers.upgrade !== undefined

/** What the client of socket.io hears as `connect_error`. */
function connectError(problem: Problem): Error & { data: Problem } {
  return Object.assign(new Error(problem.code), { data: problem })
}

function answerHttp(request: IncomingMessage, response: ServerResponse, answer: ProblemAnswer): void {
  // The response of an upgrade is a stand-in that writes nothing.
  if (isUpgrade(request)) {
    answerRaw(request.socket, answer)
    return
  }
  response.writeHead(answer.status, { ...answer.headers, 'x-content-type-options': 'nosniff' })
  response.end(JSON.stringify(answer.body))
}

function refuseSkippedMiddleware(io: Server): void {
  const { connectionStateRecovery: recovery } = io._opts
  if (recovery && recovery.skipMiddlewares !== false) {
    throw new CountersignError(
      'ERR_CONFIG_UNSAFE',
      '"connectionStateRecovery.skipMiddlewares" must be false: recovered connections would not be checked',
    )
  }
}
