import { match } from 'node:assert/strict'
import { equals, matches } from '../checks.ts'
import { type AppBench, bearer, cookies } from './bench.ts'

/** What a guard may demand. */
export function guardCases({ test }: AppBench): void {
  test('guard: maxAge, acr and audience, each with the challenge that helps', async (app) => {
    const line = app.line()
    const weak = await app.both()
    for (const { by } of weak) {
      equals((await line.send('GET', '/recent', { headers: [by] })).status, 200)
      const strong = await line.send('GET', '/strong', { headers: [by] })
      matches(strong, { status: 401, body: { reason: 'insufficient_authentication', remedy: 'step_up' } })
      match(strong.header('www-authenticate')!, /error="insufficient_user_authentication", acr_values="aal2"$/)
      matches(await line.send('GET', '/other', { headers: [by] }), { status: 401, body: { reason: 'claim_mismatch' } })
    }
    const json = { subject: app.subject(), delivery: 'bearer', acr: 'aal2' }
    const { accessToken } = (await line.send('POST', '/login', { json })).body
    equals((await line.send('GET', '/strong', { headers: [bearer(accessToken)] })).status, 200)
  })

  test('guard: a login that is too old is told how old it may be', async (app) => {
    const tokens = await app.program()
    app.clock.advance('9m')
    const line = app.line()
    equals((await line.send('GET', '/recent', { headers: [bearer(tokens.access)] })).status, 200)
    app.clock.advance('59s')
    app.clock.advance('2s')
    const access = app.renews
      ? (await line.send('POST', '/refresh', { json: { refreshToken: tokens.refresh } })).body.accessToken
      : tokens.access
    const answer = await line.send('GET', '/recent', { headers: [bearer(access)] })
    matches(answer, { status: 401, body: { reason: 'insufficient_authentication', remedy: 'step_up' } })
    match(answer.header('www-authenticate')!, /max_age="600"$/)
  })

  test('guard: fresh asks the store, and once', async (app) => {
    const tokens = await app.login()
    const line = app.line()
    const send = () => line.send('GET', '/fresh', { headers: [cookies(tokens)] })
    equals((await send()).status, 200)
    equals(
      await app.callsOf(async () => {
        matches(await send(), { status: 200, body: { subject: tokens.subject } })
      }),
      ['read'],
    )
  })

  test('guard: in an outage whoever was seen a moment ago is let in as degraded, and nobody else', async (app) => {
    const [known, unknown] = [await app.both(), await app.both()]
    const line = app.line()
    for (const { by, subject } of known) {
      const answer = await line.send('GET', '/outage', { headers: [by] })
      matches(answer, { status: 200, body: { subject, degraded: false } })
    }
    // The first is what makes the process remember, the second what it remembers.
    for (const { by } of known) equals((await line.send('GET', '/outage', { headers: [by] })).status, 200)
    await app.duringOutage(async () => {
      for (const { by, subject } of known) {
        const answer = await line.send('GET', '/outage', { headers: [by] })
        matches(answer, { status: 200, body: { subject, degraded: true }, setCookies: [] })
        // A guard without it, or one that needs roles, knows nothing.
        equals((await line.send('GET', '/me', { headers: [by] })).status, 503)
        equals((await line.send('GET', '/guarded', { headers: [by] })).status, 503)
      }
      for (const { by } of unknown) equals((await line.send('GET', '/outage', { headers: [by] })).status, 503)
    })
  })
}
