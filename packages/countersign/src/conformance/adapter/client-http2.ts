// The same requests over HTTP/2, without TLS.
import {
  type ClientHttp2Session,
  connect,
  constants,
  type IncomingHttpHeaders,
  type IncomingHttpStatusHeader,
  type OutgoingHttpHeaders,
} from 'node:http2'
import { type Answer, bodyOf, DEADLINE_MS, type Line, parsed, type Sending } from './client.ts'

/** One connection, over which all requests go at once. */
export class Http2Line implements Line {
  readonly #session: ClientHttp2Session

  constructor(origin: string) {
    this.#session = connect(origin)
    // What becomes of the requests is told to each of them.
    this.#session.on('error', () => {})
  }

  send(method: string, path: string, sending: Sending = {}): Promise<Answer> {
    const { text, type } = bodyOf(sending)
    const headers: OutgoingHttpHeaders = { ':method': method, ':path': path }
    for (const [name, value] of sending.headers ?? []) {
      const key = name.toLowerCase()
      const before = headers[key] as string | string[] | undefined
      headers[key] = before === undefined ? value : [...[before].flat(), value]
    }
    if (type !== undefined) headers['content-type'] = type
    return new Promise((resolve, reject) => {
      const what = `${method} ${path.split('?')[0]}`
      const stream = this.#session.request(headers, { endStream: text === '' })
      let answered: IncomingHttpHeaders & IncomingHttpStatusHeader = {}
      const chunks: Buffer[] = []
      stream.setTimeout(DEADLINE_MS, () => stream.destroy(new Error(`${what}: no answer within ${DEADLINE_MS} ms`)))
      stream.on('response', (fields) => {
        answered = fields
      })
      stream.on('data', (chunk: Buffer) => chunks.push(chunk))
      stream.on('error', (cause) => reject(new Error(`${what} failed: ${cause.message}`, { cause })))
      // Not on `end`, which also comes when the other side has cut the answer off.
      stream.on('close', () => {
        if (stream.rstCode !== constants.NGHTTP2_NO_ERROR) reject(new Error(`${what}: the answer is not whole`))
        const body = Buffer.concat(chunks).toString()
        resolve({
          status: answered[':status'] ?? 0,
          header: (name) => [answered[name]].flat().join(', ') || undefined,
          setCookies: answered['set-cookie'] ?? [],
          text: body,
          body: parsed(body),
          connection: this.#session.socket?.localPort ?? 0,
        })
      })
      if (text !== '') stream.end(text)
    })
  }

  close(): void {
    this.#session.destroy()
  }
}
