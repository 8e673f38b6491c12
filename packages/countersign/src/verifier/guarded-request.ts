import { lookup as dnsLookup, type LookupAddress } from 'node:dns'
import { type IncomingMessage, Agent as PlainAgent, request as plainRequest } from 'node:http'
import { Agent, request as tlsRequest } from 'node:https'
import { isIP, type LookupFunction } from 'node:net'
import { CountersignError, invalidOption } from '../internal/errors.ts'
import type { Runtime } from '../internal/runtime.ts'
import { type Reach, reachOf } from './addresses.ts'

/** Largest answer that is read, in bytes. */
export const MAX_ANSWER_BYTES = 65_536
/** Connections to one address at once; more requests wait for one of them. */
const MAX_SOCKETS = 64

export interface GuardedOptions {
  /** For messages and faults: `jwks`, `introspection`. */
  readonly name: string
  readonly deadlineMs: number
  readonly privateNetwork: boolean
  readonly runtime: Runtime
}
export interface Asked {
  readonly method: 'GET' | 'POST'
  readonly headers: Readonly<Record<string, string>>
  readonly body?: string
  readonly signal?: AbortSignal
}
export interface Answer {
  readonly status: number
  readonly contentType: string
  readonly body: Buffer
}
/** Calls `make` for each attempt: a request that carries something for single use gets a new one. */
export type GuardedRequest = (make: () => Asked) => Promise<Answer>

/**
 * Requests to one address that was fixed when it was made (RFC 8725bis section 3.10): TLS unless it is loopback, the
 * address that the name leads to is checked and is the one that is connected to, no redirect is followed, no cookie is
 * kept or sent, at most 64 KiB are read, and all of it within one deadline. Proxy settings of the process are not used.
 *
 * @throws CountersignError `ERR_CONFIG_INVALID` naming the option, when the address itself is not acceptable. Every
 * request: `ERR_STORE_UNAVAILABLE`, or `ERR_STORE_TIMEOUT` after the deadline.
 */
export function guardedRequest(url: URL, option: string, options: GuardedOptions): GuardedRequest {
  const { name, deadlineMs, privateNetwork, runtime } = options
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1')
  const isLocal = host === 'localhost' || reachOf(host) === 'loopback'
  if (url.protocol !== 'https:' && !(url.protocol === 'http:' && isLocal))
    throw invalidOption(option, 'must be an https: URL; http: is for loopback only')
  if (url.username !== '' || url.password !== '' || url.hash !== '')
    throw invalidOption(option, 'must be a URL without user, password and fragment')
  const allowed: ReadonlySet<Reach> = new Set<Reach>(
    isLocal ? ['loopback'] : privateNetwork ? ['public', 'private'] : ['public'],
  )
  const refusal = (reach: Reach) => {
    const hint = reach === 'private' ? '; "privateNetwork" allows it' : ''
    return unavailable(name, `leads to an address of the kind "${reach}"${hint}`)
  }
  if (isIP(host) !== 0 && !allowed.has(reachOf(host)))
    throw invalidOption(option, `must not be an address of the kind "${reachOf(host)}" here`)

  const lookup: LookupFunction = (hostname, how, done) => {
    // All addresses, and none of them bad: who answers with two could be asked for the other one next time.
    dnsLookup(hostname, { ...how, all: true }, (error, found) => {
      const addresses = found as LookupAddress[] | undefined
      const bad = addresses?.find(({ address }) => !allowed.has(reachOf(address)))
      if (error || !addresses?.length) done(error ?? unavailable(name, 'has no address'), [])
      else if (bad) done(refusal(reachOf(bad.address)), [])
      else if (how.all) done(null, addresses)
      else done(null, addresses[0]!.address, addresses[0]!.family)
    })
  }
  const secure = url.protocol === 'https:'
  const connections = { keepAlive: true, maxSockets: MAX_SOCKETS, lookup }
  const agent = secure ? new Agent(connections) : new PlainAgent(connections)

  const attempt = (asked: Asked): Promise<Answer> =>
    new Promise((resolve, reject) => {
      const { method, headers, body, signal } = asked
      const length = body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) }
      const request = (secure ? tlsRequest : plainRequest)(url, { method, agent, headers: { ...headers, ...length } })
      const end = (error?: unknown) => {
        runtime.timers.clearTimeout(timer)
        signal?.removeEventListener('abort', onAbort)
        if (error === undefined) return
        request.destroy()
        reject(error)
      }
      const timer = runtime.timers.setTimeout(() => end(timedOut(name)), deadlineMs)
      const onAbort = () => end(signal!.reason)
      if (signal?.aborted) return end(signal.reason)
      signal?.addEventListener('abort', onAbort, { once: true })
      request.on('error', (cause) => {
        if (cause instanceof CountersignError) return end(cause)
        const stale = request.reusedSocket && (cause as NodeJS.ErrnoException).code === 'ECONNRESET'
        end(stale ? STALE : unavailable(name, 'gave no answer', cause))
      })
      request.on('response', (response) => {
        read(response).then(
          (bytes) => {
            end()
            resolve({
              status: response.statusCode!,
              contentType: response.headers['content-type'] ?? '',
              body: bytes,
            })
          },
          (problem: Error) => end(unavailable(name, problem.message)),
        )
      })
      request.end(body)
    })
  return (make) => attempt(make()).catch((error) => (error === STALE ? attempt(make()) : Promise.reject(error)))
}

/** A kept connection that the other side had closed meanwhile: nothing was heard, and a new connection may do. */
const STALE = new CountersignError('ERR_STORE_UNAVAILABLE', 'the connection had been closed')

async function read(response: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = []
  let length = 0
  for await (const chunk of response as AsyncIterable<Buffer>) {
    length += chunk.length
    if (length > MAX_ANSWER_BYTES) throw new Error(`answered with more than ${MAX_ANSWER_BYTES} bytes`)
    chunks.push(chunk)
  }
  if (!response.complete) throw new Error('broke off its answer')
  return Buffer.concat(chunks)
}

/** No answer, or none that can be used. The message names the endpoint and never its address or what was sent. */
export function unavailable(name: string, problem: string, cause?: unknown): CountersignError {
  const more = cause === undefined ? {} : { cause }
  return new CountersignError('ERR_STORE_UNAVAILABLE', `the ${name} endpoint ${problem}`, { store: name, ...more })
}

function timedOut(name: string): CountersignError {
  return new CountersignError('ERR_STORE_TIMEOUT', `the ${name} endpoint did not answer in time`, { store: name })
}
