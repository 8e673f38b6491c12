// What the adapters for `Request` and `Response` have in common.
import type { Answer } from './answer.ts'
import type { RequestSource } from './source.ts'

/** How a `Request` is read. */
export class FetchSource implements RequestSource {
  readonly method: string
  readonly peer: string | undefined
  readonly requestId: string | undefined
  readonly parsedBody = undefined
  readonly addCookie: (line: string) => void
  readonly #request: Request

  constructor(request: Request, addCookie: (line: string) => void, peer?: string, requestId?: string) {
    this.#request = request
    this.method = request.method
    this.addCookie = addCookie
    this.peer = peer
    this.requestId = requestId
  }

  get target(): string {
    const { url } = this.#request
    const at = url.indexOf('/', url.indexOf('//') + 2)
    return at < 0 ? '/' : url.slice(at)
  }

  // Several fields arrive as one, with commas in between, which no token has.
  get authorization(): string | undefined {
    return this.#request.headers.get('authorization') ?? undefined
  }

  get cookie(): string | undefined {
    return this.#request.headers.get('cookie') ?? undefined
  }

  header(name: string): string | undefined {
    return this.#request.headers.get(name) ?? undefined
  }

  async readBody(maxBytes: number): Promise<string | undefined> {
    const stream = this.#request.body
    if (stream === null) return ''
    const reader = stream.getReader()
    const chunks: Uint8Array[] = []
    for (let bytes = 0; ; ) {
      const { done, value } = await reader.read()
      if (done) return Buffer.concat(chunks).toString()
      bytes += value.byteLength
      if (bytes > maxBytes) {
        await reader.cancel()
        return undefined
      }
      chunks.push(value)
    }
  }
}

export function toResponse(answer: Answer, method = 'GET'): Response {
  const headers = new Headers(answer.headers)
  for (const line of answer.cookies) headers.append('set-cookie', line)
  const hasBody = answer.body !== '' && method !== 'HEAD'
  return new Response(hasBody ? answer.body : null, { status: answer.status, headers })
}

/** The response with cookies that were set meanwhile, and marked as nobody else's. */
export function finished(response: Response, cookies: readonly string[], cacheable: boolean): Response {
  const isMarked = cacheable || response.headers.has('cache-control')
  if (isMarked && cookies.length === 0) return response
  // Headers of some responses cannot be changed.
  const headers = new Headers(response.headers)
  if (!isMarked) headers.set('cache-control', 'no-store')
  for (const line of cookies) headers.append('set-cookie', line)
  return new Response(response.body, { status: response.status, statusText: response.statusText, headers })
}
