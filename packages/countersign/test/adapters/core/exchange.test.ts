// What one request shares between its guards and checks, whoever asks.

import { allowlist, CountersignError } from 'countersign'
import { countersign as onFastify } from 'countersign/fastify'
import { countersign as onFetch } from 'countersign/fetch'
import { countersign as onHono } from 'countersign/hono'
import { COOKIE_NAMES } from 'countersign/http'
import { createTestSessions } from 'countersign/testing'
import Fastify from 'fastify'
import { Hono } from 'hono'
import { expect, onTestFinished, test, vi } from 'vitest'

const origins = ['https://app.test']

async function start() {
  const made = await createTestSessions({
    strategy: allowlist({ issuer: 'https://a', audience: 'https://b' }),
    roles: ['user', 'admin'],
  })
  onTestFinished(() => made.sessions.close())
  const { accessToken } = await made.issueFor('ada', { delivery: 'bearer', roles: ['user'] })
  const headers = { authorization: `Bearer ${accessToken}` }
  const request = () => new Request('https://app.test/', { headers })
  return { ...made, headers, request }
}
const away = () => new CountersignError('ERR_STORE_UNAVAILABLE', 'the address of a store is for the log')

test('what was refused is forgotten by the check that is not', async () => {
  const { sessions, request } = await start()
  const about = onFetch({ sessions, origins }).of(request())
  expect(await about.check({ roles: ['admin'] })).toMatchObject({ reason: 'forbidden' })
  expect(about.refused?.reason).toBe('forbidden')
  expect((await about.check()).ok).toBe(true)
  expect([about.refused, about.session?.subject]).toEqual([undefined, 'ada'])
})

test('who was let in without the store is nobody special once it has answered', async () => {
  const { sessions, request } = await start()
  const { verify } = sessions
  let isAway = true
  const outage = { verifiedWithin: '30s' } as const
  const degraded = { ok: true, degraded: true, session: { subject: 'ada', audience: [] } }
  const auth = onFetch({
    origins,
    sessions: {
      ...sessions,
      verifyNow: () => undefined,
      verify: async (token: string, options: object) => (isAway ? degraded : verify(token, options)),
    } as unknown as typeof sessions,
  })
  const one = request()
  expect(await auth.enter(one, { outage })).toBeUndefined()
  const about = auth.of(one)
  expect([about.degraded?.subject, about.session]).toEqual(['ada', undefined])
  isAway = false
  expect((await about.check()).ok).toBe(true)
  expect([about.degraded, about.session?.subject]).toEqual([undefined, 'ada'])
})

test('a guard looks into memory once', async () => {
  const { sessions, request } = await start()
  const verifyNow = vi.fn(() => undefined)
  const auth = onFetch({ origins, sessions: { ...sessions, verifyNow } as unknown as typeof sessions })
  expect(await auth.enter(request(), { roles: ['user'] })).toBeUndefined()
  expect(verifyNow).toHaveBeenCalledTimes(1)
})

test('a fault of memory is answered as one of the store, also where a framework knows no faults', async () => {
  const { sessions, headers, request } = await start()
  const broken = {
    ...sessions,
    verifyNow() {
      throw away()
    },
  } as unknown as typeof sessions
  expect((await onFetch({ sessions: broken, origins }).enter(request()))?.status).toBe(503)
  const auth = onHono({ sessions: broken, origins })
  const app = new Hono()
  app.get('/', auth.guard(), (c) => c.text('in'))
  const answer = await app.request('/', { headers })
  expect([answer.status, answer.headers.get('retry-after')]).toEqual([503, '2'])
  expect(await answer.text()).not.toContain('the address')
})

test('Fastify: what one set of sessions said of a request is nothing to another', async () => {
  const [ours, theirs] = [await start(), await start()]
  const [one, other] = [ours, theirs].map(({ sessions }) => onFastify({ sessions, origins }))
  const app = Fastify()
  onTestFinished(() => app.close())
  app.get('/one', { onRequest: one!.guard() }, async () => 'in')
  app.get('/both', { onRequest: [one!.guard(), other!.guard()] }, async () => 'in')
  const { headers } = ours
  expect((await app.inject({ url: '/one', headers })).statusCode).toBe(200)
  expect((await app.inject({ url: '/both', headers })).statusCode).toBe(401)
})

test.each(['memory', 'the store'])('beside a refresh cookie that is none, as %s answers', async (who) => {
  const { sessions, issueFor } = await start()
  const { accessToken, session } = await issueFor('ada', { delivery: 'cookie', roles: ['user'] })
  const asked = {
    ...sessions,
    ...(who === 'the store' && { verifyNow: () => undefined }),
  } as unknown as typeof sessions
  const headers = { cookie: `${COOKIE_NAMES.access}=${accessToken}; ${COOKIE_NAMES.refresh}="none"` }
  const auth = onFetch({ sessions: asked, origins })
  const enter = async () => {
    const one = new Request('https://app.test/', { headers })
    const answer = await auth.enter(one)
    return [answer?.status, auth.of(one).session?.subject, auth.of(one).refused?.reason]
  }
  // Who has a live session stays in. Of a refusal it is named, because it has to be deleted.
  expect(await enter()).toEqual([undefined, 'ada', undefined])
  await sessions.revoke(session.sessionId, { reason: 'logout' })
  expect(await enter()).toEqual([401, undefined, 'malformed'])
})
