import { ok } from 'node:assert/strict'
import { COOKIE_NAMES } from '../../http/cookie-options.ts'
import { equals, matches } from '../checks.ts'
import { type AppBench, bearer, cookieIn, cookies } from './bench.ts'
import { notCached } from './credentials.ts'

/** `/refresh` and `/logout`. */
export function renewalCases({ test }: AppBench): void {
  test(
    'refresh by cookie: both cookies are new, and the new ones work',
    async (app) => {
      const tokens = await app.login()
      const line = app.line()
      app.clock.advance('11s')
      const answer = await line.send('POST', '/refresh', { headers: [cookies(tokens), ['Origin', app.origin]] })
      equals(answer.status, 200)
      const [access, refresh] = [cookieIn(answer, 'access'), cookieIn(answer, 'refresh')]
      ok(access && refresh && access !== tokens.access && refresh !== tokens.refresh)
      ok(!answer.text.includes(access) && !answer.text.includes(refresh))
      notCached(answer)
      equals((await line.send('GET', '/me', { headers: [cookies({ access })] })).body.subject, tokens.subject)
    },
    'refresh',
  )

  test(
    'refresh by cookie: a token that was only repeated is not set again',
    async (app) => {
      // An answer that comes late would put an older cookie back.
      const tokens = await app.login()
      const headers = [cookies(tokens), ['Origin', app.origin]] as const
      const answer = await app.line().send('POST', '/refresh', { headers })
      equals(answer.status, 200)
      ok(cookieIn(answer, 'access'))
      equals(cookieIn(answer, 'refresh'), undefined)
    },
    'refresh',
  )

  test(
    'refresh by body: both tokens come back the way they came, and no cookie',
    async (app) => {
      const tokens = await app.program()
      const line = app.line()
      app.clock.advance('11s')
      const answer = await line.send('POST', '/refresh', { json: { refreshToken: tokens.refresh } })
      equals(answer.status, 200)
      equals(answer.setCookies, [])
      ok(answer.body.accessToken && answer.body.refreshToken && answer.body.refreshToken !== tokens.refresh)
      notCached(answer)
      const me = await line.send('GET', '/me', { headers: [bearer(answer.body.accessToken)] })
      equals(me.body.subject, tokens.subject)
    },
    'refresh',
  )

  test(
    'eight refreshes at once: one successor, and nobody is logged out',
    async (app) => {
      const tokens = await app.login()
      const line = app.line(8)
      app.clock.advance('11s')
      const headers = [cookies(tokens), ['Origin', app.origin]] as const
      const answers = await Promise.all(Array.from({ length: 8 }, () => line.send('POST', '/refresh', { headers })))
      equals(
        answers.map((answer) => answer.status),
        answers.map(() => 200),
      )
      equals(new Set(answers.map((answer) => cookieIn(answer, 'refresh'))).size, 1)
      equals(await app.stateOf(tokens), 'live')
    },
    'refresh',
  )

  test(
    'a refresh that is refused clears no cookie',
    async (app) => {
      // It may be the loser of a race, and the cookie of the winner is there already.
      const tokens = await app.login()
      const line = app.line()
      await app.sessions.revokeAll(tokens.subject, { reason: 'admin' })
      for (const headers of [
        [cookies(tokens), ['Origin', app.origin]],
        [
          ['Cookie', `${COOKIE_NAMES.refresh}=garbage`],
          ['Origin', app.origin],
        ],
        [['Origin', app.origin]],
      ] as const) {
        matches(await line.send('POST', '/refresh', { headers }), { status: 401, setCookies: [] })
      }
    },
    'refresh',
  )

  test(
    'an access token is no refresh token, and the reverse',
    async (app) => {
      const tokens = await app.program()
      const line = app.line()
      equals((await line.send('POST', '/refresh', { json: { refreshToken: tokens.access } })).status, 401)
      equals((await line.send('GET', '/me', { headers: [bearer(tokens.refresh)] })).status, 401)
      equals((await line.send('GET', '/me', { headers: [cookies({ access: tokens.refresh })] })).status, 401)
    },
    'refresh',
  )

  test('logout by cookie: the session has ended, and both cookies are removed', async (app) => {
    const tokens = await app.login()
    const line = app.line()
    const answer = await line.send('POST', '/logout', { headers: [cookies(tokens), ['Origin', app.origin]] })
    equals(answer.status, 204)
    equals([cookieIn(answer, 'access'), cookieIn(answer, 'refresh')], ['', ''])
    for (const set of answer.setCookies) ok(/; *max-age=0(;|$)/i.test(set), 'a cookie is removed with Max-Age=0')
    equals(await app.stateOf(tokens), 'logout')
    const late = await line.send('GET', '/me', { headers: [cookies(tokens)] })
    matches(late, { status: 401, body: { reason: 'ended', endedBy: 'logout', remedy: 'sign_in' }, setCookies: [] })
  })

  test('logout by header: the session has ended', async (app) => {
    const tokens = await app.program()
    equals((await app.line().send('POST', '/logout', { headers: [bearer(tokens.access)] })).status, 204)
    equals(await app.stateOf(tokens), 'logout')
  })

  test(
    'logout with an access token that has expired: the refresh token is enough',
    async (app) => {
      const [browser, other] = [await app.login(), await app.login()]
      app.clock.advance('11m')
      const headers = [cookies(browser), ['Origin', app.origin]] as const
      equals((await app.line().send('POST', '/logout', { headers })).status, 204)
      equals(await app.stateOf(browser), 'logout')
      equals(await app.stateOf(other), 'live')
    },
    'refresh',
  )
}
