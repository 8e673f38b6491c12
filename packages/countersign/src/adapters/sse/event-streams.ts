import type { IncomingMessage, ServerResponse } from 'node:http'
import { ORIGIN_VARY } from '../../http/origin-proof.ts'
import { type ProblemAnswer, problem, problemOf, problemOfFault } from '../../http/problem.ts'
import type { RequestFacts } from '../../http/request.ts'
import { durationMs } from '../../internal/duration.ts'
import { invalidOption } from '../../internal/errors.ts'
import { refuseUnknown } from '../../strategies/options.ts'
import { sameTexts } from '../../verbs/followed.ts'
import { ADMISSION_OPTIONS, type AdmissionOptions, createAdmission, factsOf } from '../live/admission.ts'
import type { LiveEnd } from '../live/ends.ts'
import type { LiveConnection } from '../live/types.ts'
import { type EventStream, type Sink, SinkStream } from './event-stream.ts'
import { nodeSink } from './node-sink.ts'
import { webSink } from './web-sink.ts'

/** What `eventStreams` takes. Tickets are not: an `EventSource` could send one in the URL only. */
export interface SseOptions<P> extends Omit<AdmissionOptions<P>, 'tickets' | 'ticketsFor'> {
  /** How often a comment is sent, which keeps proxies from giving up and finds clients that have gone. Default 15 s. */
  heartbeat?: `${number}${'s' | 'm'}`
  /** How much a client may leave unread before it is cut off, in bytes. Default 1 048 576. */
  maxBufferedBytes?: number
  /** Further headers of each stream, for CORS for instance. */
  headers?: Readonly<Record<string, string>>
}

/** Server-sent events for sessions. */
export interface EventStreams<P> {
  /**
   * Opens a stream over Node's HTTP, for Express, Fastify's `reply.raw` and the like.
   *
   * @returns `undefined` when it was refused; the answer has been given then: 400, 401, 403, 405 or
   * 503 with `problem+json`.
   */
  open(request: IncomingMessage, response: ServerResponse): Promise<EventStream<P> | undefined>
  /**
   * The same for `Request` and `Response`, as a `ReadableStream`. Send `response` whether there is a `stream` or not.
   */
  respond(request: Request): Promise<{ readonly response: Response; readonly stream?: EventStream<P> }>
}

const OPTIONS = new Set([
  ...ADMISSION_OPTIONS.filter((name) => !name.startsWith('tickets')),
  'heartbeat',
  'maxBufferedBytes',
  'headers',
])

/**
 * Streams of server-sent events that belong to a session. When that ends, the client gets `session-over` with the reason and
 * the stream ends; when its roles change, `session-changed`. A browser connects again by itself and is refused with 401
 * then, which ends its `EventSource`.
 *
 * @throws CountersignError `ERR_CONFIG_INVALID`, naming the option.
 */
export function eventStreams<P extends { readonly roles: readonly string[] }>(options: SseOptions<P>): EventStreams<P> {
  refuseUnknown(options, OPTIONS, 'eventStreams')
  const { live, heartbeat = '15s', maxBufferedBytes = 1_048_576, headers = {} } = options
  const heartbeatMs = durationMs(heartbeat, 'heartbeat', 100, 600_000)
  if (!Number.isInteger(maxBufferedBytes) || maxBufferedBytes < 1_024)
    throw invalidOption('maxBufferedBytes', 'must be a whole number of at least 1024')
  const admission = createAdmission(options)

  /** Admits a request, and then lets `make` say where the stream goes. */
  async function start(
    facts: RequestFacts,
    make: (gone: () => void) => Sink,
  ): Promise<{ readonly ok: true; readonly stream: SinkStream<P> } | { readonly ok: false; answer: ProblemAnswer }> {
    if (facts.method !== 'GET') return { ok: false, answer: ONLY_GET }
    let connection: LiveConnection<P> | undefined
    let stream: SinkStream<P> | undefined
    let ended: LiveEnd | undefined
    try {
      const admitted = await admission.admit(facts, 'fetch', {
        end(end) {
          if (stream) return stream.end(end)
          ended = end
        },
        changed(session, before) {
          if (!sameTexts(session.roles, before.roles)) stream?.changed(session.roles)
        },
      })
      if (!admitted.ok) return { ok: false, answer: problemOf(admitted) }
      connection = admitted.connection
      stream = new SinkStream(
        make(() => stream?.gone()),
        connection,
        live.host,
        { heartbeatMs, maxBufferedBytes },
      )
      if (ended) void stream.end(ended)
      return { ok: true, stream }
    } catch (fault) {
      connection?.release()
      return { ok: false, answer: problemOfFault(fault) }
    }
  }

  return Object.freeze({
    async open(request: IncomingMessage, response: ServerResponse) {
      const started = await start(factsOf(request), (gone) => {
        response.writeHead(200, { ...headers, ...HEADERS })
        return nodeSink(response, gone)
      })
      if (started.ok) return started.stream
      const { status, headers: of, body } = started.answer
      response.writeHead(status, { ...headers, ...of, ...SAFE })
      response.end(request.method === 'HEAD' ? undefined : JSON.stringify(body))
      return undefined
    },
    async respond(request: Request) {
      let body: ReadableStream<Uint8Array> | undefined
      const facts = { method: request.method, header: (name: string) => request.headers.get(name) ?? undefined }
      const started = await start(facts, (gone) => {
        const web = webSink(request.signal, gone)
        body = web.body
        return web.sink
      })
      if (started.ok)
        return { response: new Response(body!, { headers: { ...headers, ...HEADERS } }), stream: started.stream }
      const { status, headers: of, body: refused } = started.answer
      return {
        response: new Response(JSON.stringify(refused), { status, headers: { ...headers, ...of, ...SAFE } }),
      }
    },
  })
}

/** `EventSource` asks with `GET`; what changes something needs another proof than this. */
const ONLY_GET = problem(405, 'method_not_allowed', { title: 'This is read with GET' }, { allow: 'GET' })
/** Nobody keeps it, and no page of another origin may use it as something else. */
const SAFE = {
  'x-content-type-options': 'nosniff',
  'cross-origin-resource-policy': 'same-origin',
  vary: `${ORIGIN_VARY}, Cookie, Authorization`,
}
const HEADERS = {
  ...SAFE,
  'content-type': 'text/event-stream; charset=utf-8',
  'cache-control': 'no-store, no-transform',
  // nginx would hold events back.
  'x-accel-buffering': 'no',
}
