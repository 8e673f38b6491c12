// The smallest application that passes the adapter suite: node:http and `countersign/http`. Each part of it can be
// exchanged for a broken one.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { SessionId } from 'countersign'
import type { AdapterSessions, StartedApp } from 'countersign/conformance'
import {
  allCookies,
  carriesCookies,
  checkOrigin,
  expireCookie,
  expireEveryCookie,
  findCredentials,
  type HttpRefused,
  type ProblemAnswer,
  problem,
  problemOf,
  problemOfFault,
  type RequestFacts,
  setCookie,
} from 'countersign/http'

type Issued = Extract<Awaited<ReturnType<AdapterSessions['issue']>>, { ok: true }>
type Checked = Awaited<ReturnType<AdapterSessions['verify']>>
type Caller = Checked | HttpRefused

/** One request, as the parts see it. */
export interface Exchange {
  readonly sessions: AdapterSessions
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly facts: RequestFacts
  readonly body: { readonly [name: string]: unknown }
  readonly origin: string
}

export interface Parts {
  /** What `countersign/http` is told of a request. */
  factsOf(request: IncomingMessage): RequestFacts
  /** The method whose route answers. */
  methodOf(request: IncomingMessage): string
  /** Who it is, before any guard. */
  identify(exchange: Exchange): Promise<Caller>
  /** The same for every guard, asking once per request. */
  identifyOnce(exchange: Exchange): Promise<Caller>
  /** Whether a request may change something. */
  admit(exchange: Exchange): { readonly ok: true } | HttpRefused
  handOut(exchange: Exchange, issued: Issued): void
  logout(exchange: Exchange): Promise<void>
  refuse(exchange: Exchange, refused: HttpRefused): void
  fail(exchange: Exchange, error: unknown): void
}

export const parts: Parts = {
  // Not `headers`: Node keeps only the first of several Authorization fields there.
  factsOf: (request) => ({ method: request.method ?? '', header: (name) => request.headersDistinct[name] }),
  methodOf: ({ method = '' }) => (method === 'HEAD' ? 'GET' : method),
  async identify({ sessions, facts }) {
    const credentials = findCredentials(facts)
    if (!credentials.ok) return credentials
    const token = credentials.access?.token ?? ''
    return sessions.verifyNow(token) ?? (await sessions.verify(token))
  },
  identifyOnce(exchange) {
    const known = callers.get(exchange.request) ?? this.identify(exchange)
    callers.set(exchange.request, known)
    return known
  },
  admit({ facts, body, origin }) {
    const credentials = findCredentials(facts, { refreshToken: textOf(body.refreshToken) })
    const byHeaderOrBody =
      credentials.ok && (credentials.access?.from === 'header' || credentials.refresh?.from === 'body')
    const bearer = body.delivery === undefined ? byHeaderOrBody : body.delivery === 'bearer'
    return checkOrigin(facts, { origins: [origin], ourCookies: carriesCookies(facts), bearer })
  },
  handOut(exchange, { session, accessToken, refreshToken, rotation }) {
    if (session.delivery === 'bearer') return json(exchange, 200, { accessToken, refreshToken })
    const cookies = [setCookie('access', accessToken)]
    // A token that was only repeated is not written: this answer may be late, and would put an older cookie back.
    if (refreshToken !== undefined && rotation !== 'current') cookies.push(setCookie('refresh', refreshToken))
    return json(exchange, 200, { subject: session.subject }, { 'set-cookie': cookies })
  },
  async logout(exchange) {
    const { sessions, facts, body } = exchange
    const credentials = findCredentials(facts, { refreshToken: textOf(body.refreshToken) })
    if (!credentials.ok) return this.refuse(exchange, credentials)
    const ids = await idsOf(sessions, [credentials.access?.token, credentials.refresh?.token, ...allCookies(facts)])
    if (ids.size === 0) return this.refuse(exchange, { ok: false, reason: 'missing', remedy: 'sign_in' })
    for (const id of ids) await sessions.revoke(id, { reason: 'logout' })
    send(exchange, 204, '', { 'set-cookie': [expireCookie('access'), expireCookie('refresh')] })
  },
  refuse: (exchange, refused) =>
    answerProblem(exchange, problemOf(refused), refused.reason === 'duplicate_cookie' ? expireEveryCookie() : []),
  fail: (exchange, error) => answerProblem(exchange, problemOfFault(error)),
}
async function idsOf(sessions: AdapterSessions, tokens: readonly (string | undefined)[]): Promise<Set<SessionId>> {
  const ids = new Set<SessionId>()
  for (const token of tokens) {
    const { sessionId, kind } = await sessions.explain(token ?? '')
    if (sessionId && kind.endsWith('_token')) ids.add(sessionId)
  }
  return ids
}

const callers = new WeakMap<IncomingMessage, Promise<Caller>>()

type Guard = (parts: Parts, exchange: Exchange) => Promise<Caller>
const loggedIn: Guard = (parts, exchange) => parts.identifyOnce(exchange)
const withRole =
  (role: 'user' | 'admin'): Guard =>
  async (parts, exchange) => {
    const caller = await parts.identifyOnce(exchange)
    if (!caller.ok || caller.session.roles.includes(role)) return caller
    return { ok: false, reason: 'forbidden', remedy: 'none' }
  }

const guarded =
  (...guards: Guard[]): Route =>
  async (parts, exchange) => {
    let caller: Caller | undefined
    for (const guard of guards) {
      caller = await guard(parts, exchange)
      if (!caller.ok) return parts.refuse(exchange, caller)
    }
    const { subject, sessionId, roles } = (caller as Extract<Caller, { ok: true }>).session
    return json(exchange, 200, { subject, sessionId, roles })
  }

type Route = (parts: Parts, exchange: Exchange) => Promise<void> | void
export const ROUTES: Readonly<Record<string, Route>> = {
  'POST /login': async (parts, exchange) => {
    const { sessions, facts } = exchange
    // The session that this browser had ends with the login.
    for (const id of await idsOf(sessions, allCookies(facts))) await sessions.revoke(id, { reason: 'logout' })
    const issued = await sessions.issue(exchange.body as never)
    return issued.ok ? parts.handOut(exchange, issued) : parts.refuse(exchange, issued)
  },
  'POST /refresh': async (parts, exchange) => {
    const { sessions, facts, body } = exchange
    const credentials = findCredentials(facts, { refreshToken: textOf(body.refreshToken) })
    if (!credentials.ok) return parts.refuse(exchange, credentials)
    const issued = await sessions.refresh(credentials.refresh?.token ?? '')
    return issued.ok ? parts.handOut(exchange, issued) : parts.refuse(exchange, issued)
  },
  'POST /logout': (parts, exchange) => parts.logout(exchange),
  'POST /change': guarded(loggedIn),
  'GET /me': guarded(loggedIn),
  'GET /guarded': guarded(loggedIn, withRole('user'), withRole('admin')),
}

/** Listens on a free port. */
export async function startNodeHttp(sessions: AdapterSessions, changes: Partial<Parts> = {}): Promise<StartedApp> {
  const used: Parts = { ...parts, ...changes }
  let origin = ''
  const server = createServer(async (request, response) => {
    const facts = used.factsOf(request)
    const text = await read(request)
    const exchange = { sessions, request, response, facts, body: parsed(text ?? ''), origin }
    try {
      const path = (request.url ?? '').split('?')[0]
      const route = ROUTES[`${used.methodOf(request)} ${path}`]
      if (!route) return answerProblem(exchange, problem(404, 'not_found', { title: 'There is no such thing' }))
      if (text === undefined) return answerProblem(exchange, problem(413, 'body_too_large', { title: 'Too large' }))
      const admitted = used.admit(exchange)
      if (!admitted.ok) return used.refuse(exchange, admitted)
      await route(used, exchange)
    } catch (error) {
      used.fail(exchange, error)
    }
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return {
    origin,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

export function json(exchange: Exchange, status: number, body: object, headers: Headers = {}): void {
  send(exchange, status, JSON.stringify(body), {
    'content-type': 'application/json',
    'cache-control': 'no-store',
    ...headers,
  })
}
type Headers = Readonly<Record<string, string | readonly string[]>>

export function send({ request, response }: Exchange, status: number, text: string, headers: Headers): void {
  response.writeHead(status, headers as Record<string, string>)
  response.end(request.method === 'HEAD' ? '' : text)
}

function answerProblem(
  exchange: Exchange,
  { status, headers, body }: ProblemAnswer,
  cookies: readonly string[] = [],
): void {
  json(exchange, status, body, cookies.length > 0 ? { ...headers, 'set-cookie': cookies } : headers)
}

/** `undefined` for more than 64 KiB, which are read all the same: the next request of the connection follows them. */
async function read(request: IncomingMessage): Promise<string | undefined> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of request) {
    bytes += (chunk as Buffer).length
    if (bytes <= 65_536) chunks.push(chunk as Buffer)
  }
  return bytes > 65_536 ? undefined : Buffer.concat(chunks).toString()
}

function parsed(text: string): Exchange['body'] {
  try {
    return JSON.parse(text) as Exchange['body']
  } catch {
    return {}
  }
}

const textOf = (value: unknown) => (typeof value === 'string' ? value : undefined)
