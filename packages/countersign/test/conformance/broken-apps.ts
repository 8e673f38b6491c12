// The application of node-http-app.ts, broken in one way each: what somebody who writes an adapter may get wrong.
import type { Socket } from 'node:net'
import { expireCookie, problem, readCookies, setCookie } from 'countersign/http'
import { type Exchange, json, type Parts, parts, send } from './node-http-app.ts'

export interface BrokenApp {
  readonly how: string
  /** The case that has to fail. */
  readonly caught: string
  of(): Partial<Parts>
}

const broken = (how: string, caught: string, of: () => Partial<Parts>): BrokenApp => ({ how, caught, of })
const cleared = { 'set-cookie': [expireCookie('access'), expireCookie('refresh')] }
const bareToken = ({ request }: Exchange) => /^Bearer (\S+)$/i.exec(request.headers.authorization ?? '')?.[1]

export const BROKEN_APPS: readonly BrokenApp[] = [
  broken('every guard asks the store', 'three guards on one request ask the store once', () => ({
    identifyOnce(exchange) {
      return this.identify!(exchange)
    },
  })),
  broken(
    'who it was is kept with the connection',
    'keep-alive: on one connection every request is whoever it says it is, and a refusal does not end it',
    () => {
      const known = new WeakMap<Socket, ReturnType<Parts['identify']>>()
      return {
        identifyOnce(exchange) {
          const { socket } = exchange.request
          const caller = known.get(socket) ?? parts.identify(exchange)
          known.set(socket, caller)
          return caller
        },
      }
    },
  ),
  broken(
    'who it is is kept in one place for all requests',
    'at the same time: 60 requests of 6 people, each is who they are',
    () => {
      let current: Exchange
      return {
        async identifyOnce(exchange) {
          current = exchange
          await new Promise((resolve) => setImmediate(resolve))
          return parts.identify(current)
        },
      }
    },
  ),
  broken(
    'the first of two cookies counts',
    'two cookies of one name: 400, in whatever order, both are expired, and the next login works',
    () => ({
      factsOf: (request) => ({
        method: request.method ?? '',
        header(name) {
          const value = request.headersDistinct[name]
          if (name !== 'cookie' || !value) return value
          const seen = new Map<string, string>()
          for (const one of value.join('; ').split('; ')) {
            const [key = ''] = one.split('=')
            if (!seen.has(key)) seen.set(key, one)
          }
          return [...seen.values()].join('; ')
        },
      }),
    }),
  ),
  broken('the first of two Authorization fields counts', 'Authorization twice, or not one token: 400', () => ({
    factsOf: (request) => ({ method: request.method ?? '', header: (name) => request.headers[name] as string }),
  })),
  broken('the header wins over the cookie', 'a cookie and a header at once: 400, never the one or the other', () => ({
    async identify(exchange) {
      const token = bareToken(exchange)
      return token ? exchange.sessions.verify(token) : parts.identify(exchange)
    },
  })),
  broken(
    'the token may be in the query',
    'a token anywhere else is no credential: query, body, other headers, other cookies',
    () => ({
      async identify(exchange) {
        const query = new URL(exchange.request.url ?? '', 'http://x').searchParams.get('access_token')
        return query ? exchange.sessions.verify(query) : parts.identify(exchange)
      },
    }),
  ),
  broken('HEAD has no route', 'HEAD is answered as GET is, without the body', () => ({
    methodOf: ({ method = '' }) => method,
  })),
  broken('the method does not count', 'safe methods change nothing: GET and HEAD of /logout and /refresh', () => ({
    methodOf: ({ method = '', url = '' }) =>
      /^\/(?:logout|refresh)/.test(url) ? 'POST' : parts.methodOf({ method } as never),
  })),
  broken(
    'an outage is answered with 401',
    'an outage of the store: 503 on every route, no cookie is touched, and afterwards all is as before',
    () => ({
      fail: (exchange) => parts.refuse(exchange, { ok: false, reason: 'unknown', remedy: 'sign_in' }),
    }),
  ),
  broken(
    'an outage clears the cookies',
    'an outage of the store: 503 on every route, no cookie is touched, and afterwards all is as before',
    () => ({
      fail: (exchange) => json(exchange, 503, problem(503, 'unavailable').body, { ...cleared, 'retry-after': '2' }),
    }),
  ),
  broken(
    'an outage lets everybody in',
    'an outage of the store: 503 on every route, no cookie is touched, and afterwards all is as before',
    () => ({
      async identify(exchange) {
        try {
          return await parts.identify(exchange)
        } catch {
          return { ok: true, session: { subject: 'somebody', roles: ['user', 'admin'] } as never }
        }
      },
    }),
  ),
  broken('a refusal clears the cookies', 'a refresh that is refused clears no cookie', () => ({
    refuse: (exchange, refused) => {
      exchange.response.setHeader('set-cookie', cleared['set-cookie'])
      parts.refuse(exchange, refused)
    },
  })),
  broken(
    'a repeated refresh token is set again',
    'refresh by cookie: a token that was only repeated is not set again',
    () => ({
      handOut(exchange, issued) {
        parts.handOut(exchange, issued.rotation === 'current' ? { ...issued, rotation: 'replayed' } : issued)
      },
    }),
  ),
  broken(
    'programs get cookies too',
    'bearer: login gives both tokens in the body and no cookie, and the header says who it is',
    () => ({
      handOut(exchange, issued) {
        const { accessToken, refreshToken } = issued
        const cookies = { 'set-cookie': [setCookie('access', accessToken), setCookie('refresh', refreshToken!)] }
        json(exchange, 200, { accessToken, refreshToken }, cookies)
      },
    }),
  ),
  broken(
    'scripts may read the cookies',
    'cookie: login sets host-only cookies that no script reads, and puts no token in the body',
    () => ({
      handOut(exchange, issued) {
        const { response } = exchange
        const writeHead = response.writeHead.bind(response) as (...args: unknown[]) => typeof response
        response.writeHead = ((status: number, headers: Record<string, unknown>) => {
          const set = headers['set-cookie'] as string[] | undefined
          return writeHead(status, {
            ...headers,
            ...(set && { 'set-cookie': set.map((one) => one.replace('; HttpOnly', '')) }),
          })
        }) as never
        parts.handOut(exchange, issued)
      },
    }),
  ),
  broken(
    'answers with tokens may be cached',
    'refresh by body: both tokens come back the way they came, and no cookie',
    () => ({
      handOut(exchange, issued) {
        const { accessToken, refreshToken, session } = issued
        if (session.delivery !== 'bearer') return parts.handOut(exchange, issued)
        send(exchange, 200, JSON.stringify({ accessToken, refreshToken }), { 'content-type': 'application/json' })
      },
    }),
  ),
  broken(
    'logout only empties the browser',
    'logout by cookie: the session has ended, and both cookies are removed',
    () => ({
      logout: async (exchange) => send(exchange, 204, '', cleared),
    }),
  ),
  broken(
    'logout needs an access token that still works',
    'logout with an access token that has expired: the refresh token is enough',
    () => ({
      async logout(exchange) {
        const cookies = readCookies(exchange.facts)
        const token = bareToken(exchange) ?? (cookies.ok ? cookies.access : undefined) ?? ''
        const checked = await exchange.sessions.verify(token)
        return checked.ok ? parts.logout(exchange) : parts.refuse(exchange, checked)
      },
    }),
  ),
  broken('nobody asks where a request comes from', 'origin: another site gets nothing done, whatever it sends', () => ({
    admit: () => ({ ok: true }),
  })),
  broken('silence about the origin passes', 'origin: a request that says nothing of it, with our cookies: 403', () => ({
    admit(exchange) {
      const admitted = parts.admit(exchange)
      return !admitted.ok && admitted.reason === 'origin_unproven' ? { ok: true } : admitted
    },
  })),
  broken(
    'refusals are plain text',
    'refusals: a problem with reason and remedy, a challenge, and nothing to be cached',
    () => ({
      refuse: (exchange, refused) => send(exchange, refused.reason === 'forbidden' ? 403 : 401, refused.reason, {}),
    }),
  ),
  broken(
    'the reason is told of any token',
    'refusals: of a token that we did not make nobody learns more than that',
    () => ({
      refuse: (exchange, refused) =>
        refused.reason === 'malformed' || refused.reason === 'bad_signature'
          ? json(
              exchange,
              401,
              { ...problem(401, 'invalid_token').body, reason: refused.reason },
              { 'www-authenticate': 'Bearer realm="x", error="invalid_token"' },
            )
          : parts.refuse(exchange, refused),
    }),
  ),
  broken('roles are not looked at', 'the guard that refuses decides: without the role, 403', () => ({
    async identify(exchange) {
      const caller = await parts.identify(exchange)
      return caller.ok ? { ok: true, session: { ...caller.session, roles: ['user', 'admin'] } } : caller
    },
  })),
  broken(
    'a refused connection is closed',
    'keep-alive: on one connection every request is whoever it says it is, and a refusal does not end it',
    () => ({
      refuse(exchange, refused) {
        exchange.response.setHeader('connection', 'close')
        parts.refuse(exchange, refused)
      },
    }),
  ),
]
