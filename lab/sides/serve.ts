// What all servers of the lab have in common: JSON over node:http, nothing else, so that a row costs what its check costs.
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Ready, Sent, Told } from './told.ts'

export const told = JSON.parse(process.argv[2] ?? '{}') as Told

export interface Asked {
  /** What came as `Authorization: Bearer`. */
  readonly bearer: string
  readonly body: Sent
}
export interface Answer {
  readonly status: number
  readonly body?: object
}
/** `GET /` → what answers. */
export type Routes = Readonly<Record<string, (asked: Asked) => Answer | Promise<Answer>>>

export const ok = (body: object = {}): Answer => ({ status: 200, body })
export const refused = (reason: string, status = 401): Answer => ({ status, body: { reason } })

/** Listens, says where, and ends with the lab. */
export async function serve(routes: Routes): Promise<void> {
  const server = createServer(async (request, response) => {
    const route = routes[`${request.method} ${request.url}`]
    let answer: Answer
    try {
      const body = request.method === 'POST' ? await bodyOf(request) : NOTHING
      const bearer = request.headers.authorization?.slice(7) ?? ''
      answer = route ? await route({ bearer, body }) : { status: 404 }
    } catch (error) {
      answer = faultOf(error)
    }
    const text = JSON.stringify(answer.body ?? {})
    response.writeHead(answer.status, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) })
    response.end(text)
  })
  server.keepAliveTimeout = 60_000
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  process.stdin.resume().once('end', () => process.exit(0))
  process.stdout.write(`${JSON.stringify({ port: (server.address() as AddressInfo).port } satisfies Ready)}\n`)
}

/** Only the lab asks, and it sends what the route takes. */
const NOTHING = {} as Sent

async function bodyOf(request: IncomingMessage): Promise<Sent> {
  let text = ''
  for await (const chunk of request.setEncoding('utf8')) text += chunk
  return text === '' ? NOTHING : JSON.parse(text)
}

/** The store's fault is 503, as our documentation says; anything else that was thrown is a fault of the server. */
function faultOf(error: unknown): Answer {
  const { code, message } = error as { code?: string; message: string }
  return { status: code?.startsWith('ERR_STORE') ? 503 : 500, body: { reason: code ?? message } }
}
