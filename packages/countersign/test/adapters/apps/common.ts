// What the applications for the adapter suite have in common, whatever the framework.
import { createServer, type RequestListener, type Server } from 'node:http'
import { createServer as createHttp2Server } from 'node:http2'
import type { AddressInfo } from 'node:net'
import type { AdapterSessions, Run, StartedApp } from 'countersign/conformance'
import type { WebOptions } from 'countersign/node-http'

/** The options of every application. Its origin is known once it listens. */
export function optionsFor(sessions: AdapterSessions, origins: () => readonly string[]): WebOptions<AdapterSessions> {
  return {
    sessions,
    origins,
    basePath: '/',
    loginPage: '/login-page',
    async authenticate({ fields: { subject, roles, acr } }) {
      if (typeof subject !== 'string') return { ok: false, reason: 'bad_credentials' }
      return {
        ok: true,
        subject,
        roles: (roles ?? []) as ('user' | 'admin')[],
        ...(typeof acr === 'string' && { acr }),
      }
    },
  }
}

/** What `/me` and its like say. */
export function aboutSession(session: { subject: string; sessionId: string; roles: readonly string[] } | undefined) {
  if (session === undefined) throw new Error('the guard let somebody in of whom nothing is known')
  return { subject: session.subject, sessionId: session.sessionId, roles: session.roles }
}

/** The guards of the suite's routes, by path. */
export const GUARDS = {
  '/me': {},
  '/page': {},
  '/recent': { maxAge: '10m' },
  '/strong': { acr: 'aal2' },
  '/other': { audience: 'https://other.test' },
  '/fresh': { fresh: true },
} as const
export const ROUTES = Object.keys(GUARDS) as (keyof typeof GUARDS)[]
export const OUTAGE = { outage: { verifiedWithin: '30s' } } as const

/** 64 lines, each in a turn of its own. */
export async function* linesOf(subject: string): AsyncGenerator<string> {
  for (let i = 0; i < 64; i++) {
    yield `${subject}\n`
    await new Promise((resolve) => setImmediate(resolve))
  }
}

/** A line, and one that takes a check. */
export async function* lateLines(check: () => Promise<{ ok: boolean; session?: { subject: string } }>) {
  yield 'begun\n'
  // Until the first is on its way.
  await new Promise((resolve) => setTimeout(resolve, 20))
  const checked = await check()
  yield `${checked.session?.subject}\n`
}

/** The text as a body for `Response`. */
export function bodyOf(lines: AsyncGenerator<string>): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder()
  return new ReadableStream({
    async pull(controller) {
      try {
        const { done, value } = await lines.next()
        if (done) controller.close()
        else controller.enqueue(encoder.encode(value))
      } catch (error) {
        controller.error(error)
      }
    },
  })
}

/** Listens on a free port with whatever answers the requests of Node. */
export async function listen(listener: RequestListener, { protocol }: Run): Promise<StartedApp> {
  const server = protocol === 'http2' ? createHttp2Server(listener as never) : createServer(listener)
  return started(server as Server)
}

export async function started(server: Server): Promise<StartedApp> {
  const open = new Set<{ destroy(): void; once(event: 'close', fn: () => void): void }>()
  server.on('connection', (socket) => {
    open.add(socket)
    socket.once('close', () => open.delete(socket))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        for (const socket of open) socket.destroy()
      }),
  }
}
