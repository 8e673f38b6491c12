// Form tokens at the handlers, where the browser says nothing of the origin, and what a request shares between its checks.

import { allowlist } from 'countersign'
import { countersign } from 'countersign/fetch'
import { createTestSessions } from 'countersign/testing'
import { expect, onTestFinished, test } from 'vitest'

const ORIGIN = 'https://app.test'

async function start() {
  const { sessions, clock } = await createTestSessions({
    strategy: allowlist({ issuer: 'https://a', audience: 'https://b' }),
    roles: ['user', 'admin'],
  })
  onTestFinished(() => sessions.close())
  const auth = countersign({
    sessions,
    origins: [ORIGIN],
    authenticate: async ({ fields }) => ({ ok: true, subject: String(fields.subject), roles: ['user' as const] }),
    reauthenticate: async () => ({ ok: true, acr: 'aal2', amr: ['pwd', 'otp'] }),
  })
  const send = async (path: string, headers: Record<string, string>, json: object = {}) => {
    const all = { 'content-type': 'application/json', ...headers }
    const request = new Request(ORIGIN + path, { method: 'POST', headers: all, body: JSON.stringify(json) })
    const response = (await auth.handle(request))!
    const lines = response.headers.getSetCookie().map((line) => line.split(';')[0]!)
    const body = (await response.json().catch(() => undefined)) as any
    return { status: response.status, reason: body?.reason, cookie: lines.join('; '), body }
  }
  const login = async (subject: string) => (await send('/auth/login', { origin: ORIGIN }, { subject })).cookie
  /** As a page does that is shown to somebody who is logged in. */
  const tokenFor = async (cookie: string) => {
    const shown = auth.of(new Request(`${ORIGIN}/page`, { headers: { cookie } }))
    expect((await shown.check()).ok).toBe(true)
    return shown.formToken()
  }
  const subjectOf = async (cookie: string) => {
    const checked = await auth.of(new Request(`${ORIGIN}/page`, { headers: { cookie } })).check()
    return checked.ok ? checked.session.subject : checked.reason
  }
  return { auth, sessions, clock, send, login, tokenFor, subjectOf }
}

test.each(['field', 'header'])(
  'the form token of a session proves its own forms for our handlers: in the %s',
  async (way) => {
    const { clock, send, login, tokenFor, subjectOf } = await start()
    const first = await login('ada')
    const given = async (path: string, cookie: string, token: string) =>
      way === 'field' ? send(path, { cookie }, { form_token: token }) : send(path, { cookie, 'x-form-token': token })
    const stranger = await tokenFor(await login('bob'))
    for (const path of ['/auth/login', '/auth/reauth', '/auth/refresh', '/auth/logout']) {
      const refused = await given(path, first, stranger)
      expect([path, refused.status, refused.reason, refused.cookie]).toEqual([path, 403, 'form_token', ''])
    }
    expect(await subjectOf(first)).toBe('ada')

    const stepped = await given('/auth/reauth', first, await tokenFor(first))
    expect([stepped.status, await subjectOf(stepped.cookie)]).toEqual([200, 'ada'])
    const token = await tokenFor(stepped.cookie)
    clock.advance('11m')
    const renewed = await given('/auth/refresh', stepped.cookie, token)
    expect([renewed.status, await subjectOf(renewed.cookie)]).toEqual([200, 'ada'])
    // Also where the access token has expired by now.
    clock.advance('11m')
    expect((await given('/auth/logout', renewed.cookie, token)).status).toBe(204)
    expect(await subjectOf(renewed.cookie)).not.toBe('ada')
  },
)
