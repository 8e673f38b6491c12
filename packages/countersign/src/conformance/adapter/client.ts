// What the suite sends requests with. Not `fetch`, which merges repeated header fields, hides connections, and keeps
// cookies to itself.
import { Agent, type IncomingMessage, request as startRequest } from 'node:http'
import { invalidOption } from '../../internal/errors.ts'

/** How long one answer may take. */
export const DEADLINE_MS = 20_000

export interface Answer {
  readonly status: number
  /** Values of a field, joined as HTTP joins them. Not for `set-cookie`. */
  header(name: string): string | undefined
  /** The `Set-Cookie` fields, as they are. */
  readonly setCookies: readonly string[]
  readonly text: string
  /** The body as JSON; `undefined` when it is none. */
  readonly body: any
  /** Number of the local port: equal for two answers that came over one connection. */
  readonly connection: number
}

export interface Sending {
  /** Name and value of each field, in order; a name may come twice. */
  readonly headers?: readonly (readonly [name: string, value: string])[]
  readonly json?: object
  /** A body as it is, with its type. */
  readonly raw?: { readonly type: string; readonly text: string }
}

/** Connections to an application, kept alive between requests. Knows no cookies. */
export interface Line {
  /** Rejects when the answer does not come, or is not whole. */
  send(method: string, path: string, sending?: Sending): Promise<Answer>
  close(): void
}

/** The text of a body, and its type. */
export function bodyOf({ json, raw }: Sending): { readonly text: string; readonly type: string | undefined } {
  if (raw !== undefined) return raw
  return json === undefined ? { text: '', type: undefined } : { text: JSON.stringify(json), type: 'application/json' }
}

export class Http1Line implements Line {
  readonly #origin: URL
  readonly #agent: Agent

  /** @param connections - How many requests may be under way at once. */
  constructor(origin: string, connections = 1) {
    if (!/^http:\/\/[^/]+$/.test(origin))
      throw invalidOption('start', 'must give an origin like "http://127.0.0.1:1234"')
    this.#origin = new URL(origin)
    this.#agent = new Agent({ keepAlive: true, maxSockets: connections })
  }

  send(method: string, path: string, sending: Sending = {}): Promise<Answer> {
    const { text: body, type } = bodyOf(sending)
    const ours = [['Host', this.#origin.host] as const, ...(sending.headers ?? [])]
    if (type !== undefined) ours.push(['Content-Type', type])
    if (method !== 'GET' && method !== 'HEAD') ours.push(['Content-Length', String(Buffer.byteLength(body))])
    return new Promise((resolve, reject) => {
      const what = `${method} ${path.split('?')[0]}`
      const { hostname, port } = this.#origin
      const options = { method, path, hostname, port, agent: this.#agent, timeout: DEADLINE_MS, headers: ours.flat() }
      // Node takes a flat list of names and values, in which a name may come twice; its types do not say so.
      const outgoing = startRequest(options as never, (response) => collect(response).then(resolve, reject))
      outgoing.on('timeout', () => outgoing.destroy(new Error(`${what}: no answer within ${DEADLINE_MS} ms`)))
      outgoing.on('error', (cause) => reject(new Error(`${what} failed: ${cause.message}`, { cause })))
      outgoing.end(body)
    })
  }

  close(): void {
    this.#agent.destroy()
  }
}

async function collect(response: IncomingMessage): Promise<Answer> {
  const connection = response.socket.localPort ?? 0
  const chunks: Buffer[] = []
  for await (const chunk of response) chunks.push(chunk as Buffer)
  const text = Buffer.concat(chunks).toString()
  return {
    status: response.statusCode ?? 0,
    header: (name) => response.headersDistinct[name]?.join(', '),
    setCookies: response.headers['set-cookie'] ?? [],
    text,
    body: parsed(text),
    connection,
  }
}

export function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
