// An outage where the application has written no error handler: what each framework answers by itself.

import { getRequestListener } from '@hono/node-server'
import { allowlist, CountersignError } from 'countersign'
import type { AdapterSessions } from 'countersign/conformance'
import { countersign as onExpress } from 'countersign/express'
import { countersign as onFastify } from 'countersign/fastify'
import { countersign as onHono } from 'countersign/hono'
import { countersign as onKoa } from 'countersign/koa'
import { countersign as onNode, WebFault } from 'countersign/node-http'
import { createTestSessions } from 'countersign/testing'
import express from 'express'
import Fastify from 'fastify'
import { Hono } from 'hono'
import Koa from 'koa'
import { afterAll, describe, expect, test } from 'vitest'
import { listen, optionsFor } from './apps/common.ts'

const SECRET_TEXT = 'the address of a store is for the log'
const run = { strategy: 'allowlist', protocol: 'http1' } as const
const made = await createTestSessions({
  strategy: allowlist({ issuer: 'https://a', audience: 'https://b' }),
  roles: ['user', 'admin'],
})
const { accessToken } = await made.issueFor('somebody', { delivery: 'bearer' })
const fault = new CountersignError('ERR_STORE_UNAVAILABLE', SECRET_TEXT)
const sessions = {
  ...made.sessions,
  verifyNow: () => undefined,
  verify: () => Promise.reject(fault),
  refresh: () => Promise.reject(fault),
} as unknown as AdapterSessions
const options = optionsFor(sessions, () => ['http://127.0.0.1'])
const closes: (() => unknown)[] = [() => made.sessions.close()]
afterAll(async () => {
  for (const close of closes) await close()
})
/** What the application's own handler is given. */
const handed: unknown[] = []

const apps: Record<string, () => Promise<string>> = {
  async express() {
    const app = express()
    app.set('env', 'test')
    const auth = onExpress(options)
    app.use(auth)
    app.get('/me', auth.guard(), (_request, response) => void response.end())
    app.use(((error, _request, _response, next) => {
      handed.push(error)
      next(error)
    }) as express.ErrorRequestHandler)
    return started(app as never)
  },
  async fastify() {
    const app = Fastify()
    const auth = onFastify(options)
    app.addHook('onError', async (_request, _reply, error) => void handed.push(error))
    await app.register(auth)
    app.get('/me', { onRequest: auth.guard() }, async () => ({}))
    closes.push(() => app.close())
    return app.listen({ host: '127.0.0.1', port: 0 })
  },
  async hono() {
    const app = new Hono()
    const auth = onHono(options)
    app.use(auth)
    app.get('/me', auth.guard(), (c) => c.body(null))
    return started(getRequestListener(app.fetch as never) as never)
  },
  async koa() {
    const app = new Koa()
    const auth = onKoa(options)
    app.on('error', (error) => handed.push(error))
    app.use(auth as never)
    app.use(auth.guard() as never)
    return started(app.callback() as never)
  },
  async 'node:http'() {
    const auth = onNode(options)
    return started((request, response) => {
      const fail = (error: unknown) => {
        handed.push(error)
        auth.fail(error, response)
      }
      auth(request, response, (error) => (error ? fail(error) : auth.guard()(request, response, fail)))
    })
  },
}
async function started(listener: Parameters<typeof listen>[0]): Promise<string> {
  const app = await listen(listener, run)
  closes.push(() => app.close())
  return app.origin
}

describe.each(Object.keys(apps))('%s', (name) => {
  test('503 with Retry-After from a guard and from a handler, and nothing of the fault in it', async () => {
    handed.length = 0
    const url = await apps[name]!()
    const authorization = `Bearer ${accessToken}`
    for (const [method, path] of [
      ['GET', '/me'],
      ['POST', '/refresh'],
    ] as const) {
      const body = method === 'POST' ? JSON.stringify({ refreshToken: 'csr_x' }) : undefined
      const headers = { authorization, ...(body && { 'content-type': 'application/json' }) }
      const response = await fetch(url + path, { method, headers, ...(body && { body }) })
      const text = await response.text()
      expect([path, response.status, response.headers.get('retry-after')]).toEqual([path, 503, '2'])
      expect(response.headers.getSetCookie()).toEqual([])
      expect(text).not.toContain(SECRET_TEXT)
    }
    if (name === 'hono') return
    // The log has all of it: it is the cause.
    expect(handed).toHaveLength(2)
    for (const error of handed) {
      expect(error).toBeInstanceOf(WebFault)
      expect(error).toMatchObject({ code: 'ERR_STORE_UNAVAILABLE', status: 503, cause: fault })
    }
  })
})

test('the address that events have is the one that a listed proxy saw', async () => {
  const { countersign } = await import('countersign/fetch')
  const ips: unknown[] = []
  const stop = made.sessions.events.on('session_refused', (event) => ips.push(event.context?.ip))
  const auth = countersign({
    ...optionsFor(made.sessions as never, () => []),
    trustedProxies: ['10.0.0.0/8'],
    peer: () => '10.1.1.1',
  })
  const direct = countersign({ ...optionsFor(made.sessions as never, () => []), peer: () => '10.1.1.1' })
  const token = `${accessToken.slice(0, -4)}AAAA`
  const request = () =>
    new Request('https://a/', {
      headers: { authorization: `Bearer ${token}`, 'x-forwarded-for': '127.0.0.1, 203.0.113.9' },
    })
  for (const one of [auth, direct]) expect((await one.enter(request()))?.status).toBe(401)
  stop()
  expect(ips).toEqual(['203.0.113.9', '10.1.1.1'])
})

test('a log that writes down the whole request learns whose it is, and no more', async () => {
  const { countersign } = await import('countersign/fetch')
  const auth = countersign(optionsFor(made.sessions as never, () => []))
  const request = new Request('https://a/', { headers: { authorization: `Bearer ${accessToken}` } })
  expect(JSON.stringify(auth.of(request))).toBe('{}')
  expect(await auth.enter(request)).toBeUndefined()
  expect(JSON.stringify(auth.of(request))).toBe('{"subject":"somebody"}')
})
