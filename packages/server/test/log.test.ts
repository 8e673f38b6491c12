// A whole life of sessions, and then every line of the log is searched for everything that was secret in it.
import { expect, test } from 'vitest'
import { bearer, PASSWORD, startApp } from './support.ts'

const NEW_PASSWORD = 'another long enough sentence'
const WRONG_PASSWORD = 'canary wrong password canary'

test.each(['allowlist', 'opaque'] as const)('no secret in the log (%s)', async (strategy) => {
  const app = await startApp({ strategy })
  const [a, b, c] = [app.client(), app.client(), app.client({ origin: '' })]
  const identifier = 'carol.canary@example.com'
  await a.register(identifier)
  const ids: string[] = []
  const note = (answer: { body: any }) => ids.push(answer.body.session.id)
  note(await a.login(identifier))
  note(await b.login(identifier, { persistent: true, ...(strategy === 'allowlist' && { delivery: 'browser' }) }))
  const bearerLogin = await c.login(identifier, { delivery: 'bearer' })
  note(bearerLogin)
  await a.login(identifier, { password: WRONG_PASSWORD })
  await a.get('/auth/session')
  app.advance(11_000)
  await a.post('/auth/refresh')
  await c.post('/auth/refresh', { refreshToken: bearerLogin.body.refreshToken })
  note(await a.post('/auth/reauth', { password: PASSWORD }))
  note(await a.post('/auth/password', { currentPassword: PASSWORD, newPassword: NEW_PASSWORD }))
  await b.post('/auth/refresh')
  // Secrets where they do not belong: the query, the path, other fields, broken bodies.
  const token = bearerLogin.body.accessToken as string
  await c.get(`/auth/session?access_token=${token}`)
  await c.get(`/auth/${token}`)
  await c.get('/auth/session', { authorization: `Basic ${token}` })
  await c.post('/auth/login', `{"password":"${WRONG_PASSWORD}"`)
  await c.post('/auth/login', { identifier, password: WRONG_PASSWORD, [WRONG_PASSWORD]: 1 })
  await c.get('/auth/session', bearer(token))
  await a.get('/auth/session', { cookie: `__Host-access=${token}; __Host-access=${token}` })
  await a.send('DELETE', `/auth/sessions/${ids[0]}`)
  await a.post('/auth/sessions/revoke-all', { keepCurrent: true })
  await a.post('/auth/logout')
  await app.close()

  const log = app.logged.join('')
  const secrets = [...a.secrets, ...b.secrets, ...c.secrets, PASSWORD, NEW_PASSWORD, WRONG_PASSWORD, 'canary']
  expect(secrets.length).toBeGreaterThan(8)
  for (const secret of secrets) expect(log).not.toContain(secret)
  // Nor a part of one that would do: the random part of a token, the signature.
  for (const secret of secrets.filter((one) => one.length > 100)) expect(log).not.toContain(secret.slice(-40))
  for (const id of ids) expect(log).not.toContain(id)
  expect(log).not.toMatch(/access_token|csr_|cso_|eyJ/)

  const lines = log
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
  for (const line of lines) expect(line.time).toMatch(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/)
  const events = new Set(lines.map((line) => line.event))
  for (const event of ['request', 'refused', 'session_created', 'session_ended', 'session_stepped_up', 'subject_ended'])
    expect(events).toContain(event)
  for (const event of ['registered', 'authenticated', 'authentication_failed', 'password_changed'])
    expect(events).toContain(event)
  // The life of one session can be followed by its salted hash.
  const created = lines.find((line) => line.event === 'session_created')
  expect(created.sessionId).toMatch(/^[\w-]{16}$/)
  expect(
    lines.filter((line) => line.sessionId === created.sessionId || line.replaces === created.sessionId).length,
  ).toBeGreaterThan(1)
})

test('the salted hash differs between deployments', async () => {
  const hashes = []
  for (let i = 0; i < 2; i++) {
    const app = await startApp()
    const { blurWith } = await import('../src/log.ts')
    const { generateKeyring, loadKeyring } = await import('countersign')
    const keyring = await loadKeyring(generateKeyring())
    const [one, again] = [blurWith(keyring)('x'), blurWith(keyring)('x')]
    expect(one).toBe(again)
    hashes.push(one)
    await app.close()
  }
  expect(hashes[0]).not.toBe(hashes[1])
})

test('text of the client’s making stays inside its line', async () => {
  const app = await startApp()
  await app.client({ 'user-agent': 'x\u0085y' }).register('eve@example.com')
  const context = { ip: '127.0.0.1', userAgent: 'a\r\n{"level":"fatal"}\u2028b\u001b[2J', requestId: 'x\n' }
  await app.sessions.issue({ subject: 'eve', context })
  await app.close()
  const log = app.logged.join('')
  for (const line of log.trim().split('\n')) {
    expect(line).not.toMatch(/[\p{Cc}\p{Zl}\p{Zp}]/u)
    expect(() => JSON.parse(line)).not.toThrow()
  }
  const created = log.split('\n').find((line) => line.includes('session_created'))!
  expect(JSON.parse(created).userAgent).not.toMatch(/[\p{Cc}\p{Zl}\p{Zp}]/u)
})

test('what is thrown by surprise: 500, nothing of it to the caller, no message in the log, and the process lives', async () => {
  const surprise = new Error(`canary ${PASSWORD}`)
  const app = await startApp({
    around: (sessions) => ({ ...sessions, verify: () => Promise.reject(surprise) }),
  })
  const answer = await app.client().get('/auth/session', bearer('x'))
  expect(answer.body).toEqual({
    type: 'urn:countersign:problem:internal_error',
    title: 'Something went wrong',
    status: 500,
    code: 'internal_error',
  })
  expect((await app.client().get('/healthz')).status).toBe(200)
  await app.close()
  const log = app.logged.join('')
  expect(log).not.toContain('canary')
  expect(log).not.toContain(PASSWORD)
  const fault = log
    .split('\n')
    .map((line) => (line ? JSON.parse(line) : {}))
    .find((line) => line.event === 'fault')
  expect(fault).toMatchObject({ level: 'error', status: 500, route: '/auth/session', err: { name: 'Error' } })
})
