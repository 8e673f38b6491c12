// The store goes away: a fault, never a logout.
import { expect, test } from 'vitest'
import { type Answer, bearer, PASSWORD, startApp } from './support.ts'

test.each(['redis', 'postgres', 'memory'] as const)(
  '%s: every route that needs the store says 503 and touches no cookie',
  async (store) => {
    const app = await startApp({ store })
    const client = app.client()
    await client.register('alice@example.com')
    const { id } = (await client.login('alice@example.com')).body.session
    const program = app.client({ origin: '' })
    const { accessToken, refreshToken } = (await program.login('alice@example.com', { delivery: 'bearer' })).body
    const before = client.cookie

    if (store === 'memory') await app.store.lifecycle.close()
    else await app.stopStore()

    const answers: [string, Answer][] = []
    const note = async (what: string, answer: Promise<Answer>) => answers.push([what, await answer])
    await note('register', client.register('bob@example.com'))
    await note('login', app.client().login('alice@example.com'))
    await note('login over a session', client.login('alice@example.com'))
    await note('session', client.get('/auth/session'))
    await note('session by bearer', program.get('/auth/session', bearer(accessToken)))
    await note('sessions', client.get('/auth/sessions'))
    await note('end one', client.send('DELETE', `/auth/sessions/${id}`))
    await note('end all', client.post('/auth/sessions/revoke-all'))
    await note('refresh', client.post('/auth/refresh'))
    await note('refresh by bearer', program.post('/auth/refresh', { refreshToken }))
    await note('reauth', client.post('/auth/reauth', { password: PASSWORD }))
    await note(
      'password',
      client.post('/auth/password', { currentPassword: PASSWORD, newPassword: 'another long enough sentence' }),
    )
    await note('logout', client.post('/auth/logout'))
    await note('readyz', client.get('/readyz'))
    for (const [what, answer] of answers) {
      expect([what, answer.status, answer.body.code]).toEqual([what, 503, 'unavailable'])
      expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0)
      expect(answer.cookies).toEqual([])
      expect(answer.headers.get('clear-site-data')).toBeNull()
      expect(answer.text).not.toMatch(/redis|postgres|127\.0\.0\.1|ECONN/i)
    }
    expect(client.cookie).toBe(before)

    // What needs no store still works, and a forged token is still refused without one.
    expect((await client.get('/healthz')).status).toBe(200)
    expect((await client.get('/.well-known/jwks.json')).status).toBe(200)
    expect((await app.client().get('/auth/session', bearer('garbage'))).status).toBe(401)
    await app.close()
  },
)

test('a flood of logins: some are told to come back, nobody else notices', async () => {
  const app = await startApp()
  await app.client().register('alice@example.com')
  const client = app.client()
  await client.login('alice@example.com')
  const flood = Array.from({ length: 100 }, () => app.client().login('nobody@example.com'))
  await new Promise((resolve) => setTimeout(resolve, 50))
  expect((await client.get('/auth/session')).status).toBe(200)
  const answers = await Promise.all(flood)
  const statuses = new Set(answers.map((answer) => answer.status))
  expect([...statuses].sort()).toEqual([401, 503])
  for (const { status, body, headers } of answers) {
    if (status !== 503) continue
    expect([body.code, headers.get('retry-after')]).toEqual(['busy', '1'])
  }
  await app.close()
})
