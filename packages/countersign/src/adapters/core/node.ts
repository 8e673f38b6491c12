// What the adapters for node:http, Express, Fastify and Koa have in common: HTTP/1 requests and the HTTP/2 ones that look alike.
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Answer } from './answer.ts'
import type { RequestSource } from './source.ts'

/** What a framework keeps about a request of Node: its own request, or Node's where there is nothing else. */
export interface Holder {
  /** The target as the browser sent it, where the framework cuts off what something is mounted at. */
  readonly originalUrl?: string
  /** The body, where somebody has read it. */
  readonly body?: unknown
  /** A name for the request. */
  readonly id?: unknown
}

/** How a request of Node is read. All of it later than it is made: most requests need only the two credentials. */
export class NodeSource implements RequestSource {
  readonly #raw: IncomingMessage
  readonly #holder: Holder
  readonly #answer: Answering

  /** @param answer - What cookies are set on. */
  constructor(raw: IncomingMessage, holder: Holder, answer: Answering) {
    this.#raw = raw
    this.#holder = holder
    this.#answer = answer
  }

  get target(): string {
    return this.#holder.originalUrl ?? this.#raw.url ?? ''
  }

  get requestId(): string | undefined {
    const { id } = this.#holder
    return typeof id === 'string' ? id : undefined
  }

  addCookie(line: string): void {
    addCookie(this.#answer, line)
  }

  get method(): string {
    return this.#raw.method ?? ''
  }

  get authorization(): string | null | undefined {
    const { headers, rawHeaders } = this.#raw
    const value = headers.authorization
    // `headers` keeps only the first of several; the list of all of them is there anyway, and short.
    return value !== undefined && isRepeated(rawHeaders, 'authorization') ? null : value
  }

  get cookie(): string | undefined {
    return this.#raw.headers.cookie
  }

  get peer(): string | undefined {
    return this.#raw.socket?.remoteAddress
  }

  get parsedBody(): unknown {
    return this.#holder.body
  }

  header(name: string): string | readonly string[] | undefined {
    // Nearly always absent: then the list of all values is not made.
    return this.#raw.headers[name] === undefined ? undefined : valuesOf(this.#raw, name)
  }

  readBody(maxBytes: number): Promise<string | undefined> {
    return readBody(this.#raw, maxBytes)
  }
}

/** The part of an answer that cookies are set on. */
export interface Answering {
  getHeader(name: string): unknown
  setHeader(name: string, value: string[]): unknown
}

function isRepeated(rawHeaders: readonly string[], name: string): boolean {
  let seen = false
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const field = rawHeaders[i]!
    if (field.length !== name.length || field.toLowerCase() !== name) continue
    if (seen) return true
    seen = true
  }
  return false
}

/** Not `headersDistinct`: requests of HTTP/2 do not have it. */
function valuesOf({ rawHeaders }: IncomingMessage, name: string): readonly string[] {
  const values: string[] = []
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const field = rawHeaders[i]!
    if (field.length === name.length && field.toLowerCase() === name) values.push(rawHeaders[i + 1]!)
  }
  return values
}

function readBody(raw: IncomingMessage, maxBytes: number): Promise<string | undefined> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    let bytes = 0
    const onData = (chunk: Buffer) => {
      bytes += chunk.length
      if (bytes <= maxBytes) return void chunks.push(chunk)
      // The rest is read and thrown away, so that the next request of the connection is found.
      raw.off('data', onData)
      raw.resume()
      resolve(undefined)
    }
    raw.on('data', onData)
    raw.once('end', () => resolve(Buffer.concat(chunks).toString()))
    raw.once('error', reject)
    raw.once('close', () => reject(new Error('the request ended before its body')))
    if (raw.readableEnded) resolve('')
  })
}

/**
 * Writes an answer, with the cookies and the `Vary` that the application has set already.
 *
 * @throws Error when the head of another answer has been sent: nothing can be said any more.
 */
export function writeAnswer(response: ServerResponse, answer: Answer): void {
  if (response.headersSent) throw new Error('the answer had begun before the request was refused')
  response.statusCode = answer.status
  for (const [name, value] of Object.entries(answer.headers)) {
    response.setHeader(name, name === 'vary' ? withVary(response.getHeader('vary'), value) : value)
  }
  for (const line of answer.cookies) addCookie(response, line)
  if (answer.status === 204) response.removeHeader('content-type')
  else response.setHeader('content-length', Buffer.byteLength(answer.body))
  if (response.req?.method === 'HEAD' || answer.body === '') response.end()
  else response.end(answer.body)
}

function addCookie(response: Answering, line: string): void {
  const before = response.getHeader('set-cookie')
  const lines = before === undefined ? [] : Array.isArray(before) ? before : [String(before)]
  response.setHeader('set-cookie', [...lines, line])
}

/** What the application varies by, and what we do. */
export function withVary(before: unknown, ours: string): string {
  return before === undefined || before === '' ? ours : `${String(before)}, ${ours}`
}

/** Marks an answer about somebody as nobody else's, unless the application has said how long it may be kept. */
export function keepPrivate(response: ServerResponse): void {
  if (!response.headersSent && !response.hasHeader('cache-control')) response.setHeader('cache-control', 'no-store')
}
