// What the suite does not ask of every adapter: proving it once more, logins overtaken by a ban, cookies too large.
import { allowlist } from 'countersign'
import { countersign } from 'countersign/fetch'
import { createTestSessions } from 'countersign/testing'
import { afterAll, expect, test } from 'vitest'

const ORIGIN = 'https://app.test'
const { sessions, clock } = await createTestSessions({
  strategy: allowlist({ issuer: 'https://a', audience: 'https://b' }),
  roles: ['user'],
})
afterAll(() => sessions.close())
let beforeIssue = async (_subject: string) => {}
const auth = countersign({
  sessions,
  origins: [ORIGIN],
  loginPage: '/login',
  async authenticate({ fields }) {
    const subject = String(fields.subject)
    const epoch = await sessions.epoch(subject)
    await beforeIssue(subject)
    return { ok: true, subject, epoch, roles: ['user' as const] }
  },
  reauthenticate: async ({ fields, session }) =>
    fields.code === `code of ${session.subject}`
      ? { ok: true, acr: 'aal2', amr: ['pwd', 'otp'] }
      : { ok: false, reason: 'bad_credentials' },
})
const strong = auth.guard({ acr: 'aal2', maxAge: '5m' }, (_request, { session }) => new Response(session.subject))

async function send(path: string, json: object, headers: Record<string, string> = {}) {
  const all = { origin: ORIGIN, 'content-type': 'application/json', ...headers }
  const request = new Request(ORIGIN + path, { method: 'POST', headers: all, body: JSON.stringify(json) })
  const response = (await auth.handle(request))!
  const cookie = response.headers
    .getSetCookie()
    .map((line) => line.split(';')[0])
    .join('; ')
  return { status: response.status, cookie, body: (await response.json().catch(() => undefined)) as any }
}
const login = (subject: string) => send('/auth/login', { subject })
const asks = (cookie: string) => strong(new Request(`${ORIGIN}/strong`, { headers: { cookie } }))

test('reauth: a new id, new secrets, a fresh and stronger login; the old ones are over', async () => {
  const first = await login('ada')
  expect((await asks(first.cookie)).status).toBe(401)
  clock.advance('6m')
  const again = await send('/auth/reauth', { code: 'code of ada' }, { cookie: first.cookie })
  expect(again.status).toBe(200)
  expect(again.body.session.id).not.toBe(first.body.session.id)
  expect(await (await asks(again.cookie)).text()).toBe('ada')
  const old = await asks(first.cookie)
  expect([old.status, (await old.json()).endedBy]).toEqual([401, 'replaced'])
  clock.advance('6m')
  const late = await asks(again.cookie)
  expect(late.headers.get('www-authenticate')).toContain('acr_values="aal2", max_age="300"')
})

test('reauth: not with another proof, from another origin, or without a session', async () => {
  const { cookie } = await login('bob')
  const other = await send('/auth/reauth', { code: 'code of ada' }, { cookie })
  expect([other.status, other.body.code, other.cookie]).toEqual([401, 'bad_credentials', ''])
  const foreign = await send('/auth/reauth', { code: 'code of bob' }, { cookie, origin: 'https://evil.test' })
  expect([foreign.status, foreign.body.reason]).toEqual([403, 'origin_foreign'])
  const nobody = await send('/auth/reauth', { code: 'code of bob' })
  expect([nobody.status, nobody.body.code]).toEqual([401, 'unauthenticated'])
  expect((await asks(cookie)).status).toBe(401)
})

test('login: a ban during the proof is not overtaken; anything that happened once is looked at again', async () => {
  let times = 0
  beforeIssue = async (subject) => {
    if (times++ === 0) await sessions.revokeAll(subject, { reason: 'password_changed' })
  }
  expect((await login('cleo')).status).toBe(200)
  expect(times).toBe(2)
  beforeIssue = async (subject) => {
    await sessions.revokeAll(subject, { reason: 'banned', block: true })
  }
  const banned = await login('cleo')
  expect([banned.status, banned.body.code, banned.cookie]).toEqual([403, 'blocked', ''])
  beforeIssue = async () => {}
})

test('login: cookies over the budget are a fault, and leave no session', async () => {
  const subject = 'x'.repeat(250)
  const audience = Array.from({ length: 32 }, (_, i) => `https://${'a'.repeat(120)}.${i}.test`)
  const wide = await createTestSessions({ strategy: allowlist({ issuer: 'https://a', audience }), roles: ['user'] })
  const big = countersign({
    sessions: wide.sessions,
    origins: [ORIGIN],
    authenticate: async () => ({ ok: true, subject, roles: ['user' as const] }),
  })
  const headers = { origin: ORIGIN, 'content-type': 'application/json' }
  const response = await big.handle(new Request(`${ORIGIN}/auth/login`, { method: 'POST', headers, body: '{}' }))
  expect([response!.status, response!.headers.getSetCookie()]).toEqual([500, []])
  const left = []
  for await (const session of wide.sessions.list(subject)) left.push(session)
  expect(left).toEqual([])
  await wide.sessions.close()
})
