import { match, ok } from 'node:assert/strict'
import { PROBLEM_TYPE, problemOf } from '../../http/problem.ts'
import type { HttpRefused } from '../../http/refusals.ts'
import { equals, matches } from '../checks.ts'
import { type AppBench, bearer, cookies, type RunningApp, type Tokens } from './bench.ts'
import type { Answer } from './client.ts'

/** What a refusal and an outage look like, and who may send what from where. */
export function refusalCases({ test }: AppBench): void {
  const me = (app: RunningApp, tokens: Pick<Tokens, 'access'>) =>
    app.line().send('GET', '/me', { headers: [bearer(tokens.access)] })

  test('refusals: a problem with reason and remedy, a challenge, and nothing to be cached', async (app) => {
    const [ended, stepped, expired] = [await app.program(), await app.program(), await app.program()]
    await app.sessions.revokeAll(ended.subject, { reason: 'password_changed' })
    if (!app.renews) {
      refusedAs(await me(app, ended), { ok: false, reason: 'ended', endedBy: 'password_changed', remedy: 'sign_in' })
      app.clock.advance('34m')
      return refusedAs(await me(app, expired), { ok: false, reason: 'expired_idle', remedy: 'sign_in' })
    }
    await app.sessions.setRoles(stepped.subject, ['user', 'admin'])
    app.clock.advance('11s')
    const next = await app.line().send('POST', '/refresh', { json: { refreshToken: stepped.refresh } })
    equals(next.status, 200)
    refusedAs(await me(app, ended), { ok: false, reason: 'ended', endedBy: 'password_changed', remedy: 'sign_in' })
    refusedAs(await me(app, stepped), { ok: false, reason: 'superseded', remedy: 'refresh' })
    app.clock.advance('11m')
    refusedAs(await me(app, expired), { ok: false, reason: 'expired', remedy: 'refresh' })
  })

  test('refusals: of a token that we did not make nobody learns more than that', async (app) => {
    const { access } = await app.program()
    for (const token of ['garbage', `${access.slice(0, -43)}${'A'.repeat(43)}`, `${access}A`]) {
      const answer = await me(app, { access: token })
      refusedAs(answer, { ok: false, reason: 'malformed', remedy: 'sign_in' })
      equals([answer.body.reason, answer.body.detail], [undefined, undefined])
    }
  })

  test('no answer repeats a token that was sent', async (app) => {
    const tokens = await app.program()
    const line = app.line()
    await app.sessions.revokeAll(tokens.subject, { reason: 'admin' })
    for (const answer of [
      await me(app, tokens),
      await me(app, { access: `${tokens.access}A` }),
      ...(app.renews ? [await line.send('POST', '/refresh', { json: { refreshToken: tokens.refresh } })] : []),
      await line.send('GET', `/nowhere?access_token=${tokens.access}`),
    ]) {
      ok(answer.status >= 400)
      ok(!answer.text.includes(tokens.access) && !(tokens.refresh && answer.text.includes(tokens.refresh)))
    }
  })

  test('origin: another site gets nothing done, whatever it sends', async (app) => {
    const tokens = await app.login()
    const line = app.line()
    app.clock.advance('11s')
    for (const [name, value] of [
      ['Origin', 'https://evil.example'],
      ['Origin', 'null'],
      ['Sec-Fetch-Site', 'cross-site'],
      ['Sec-Fetch-Site', 'same-site'],
      ['Referer', 'https://evil.example/'],
    ] as const) {
      for (const path of ['/login', '/refresh', '/logout']) {
        const json = path === '/login' ? { subject: 'mallory', delivery: 'cookie' } : undefined
        const headers = [cookies(tokens), [name, value]] as const
        const answer = await line.send('POST', path, { headers, ...(json && { json }) })
        refusedAs(answer, { ok: false, reason: 'origin_foreign', remedy: 'none' })
      }
    }
    equals(await app.stateOf(tokens), 'live')
  })

  test('origin: a request that says nothing of it, with our cookies: 403', async (app) => {
    const tokens = await app.login()
    for (const path of ['/refresh', '/logout']) {
      const answer = await app.line().send('POST', path, { headers: [cookies(tokens)] })
      refusedAs(answer, { ok: false, reason: 'origin_unproven', remedy: 'none' })
    }
    const login = await app.line().send('POST', '/login', { json: { subject: app.subject(), delivery: 'cookie' } })
    refusedAs(login, { ok: false, reason: 'origin_unproven', remedy: 'none' })
    equals(await app.stateOf(tokens), 'live')
  })

  test('an outage of the store: 503 on every route, no cookie is touched, and afterwards all is as before', async (app) => {
    const [browser, program] = [await app.login(['user', 'admin']), await app.program()]
    const line = app.line()
    const ours = [cookies(browser), ['Origin', app.origin]] as const
    await app.duringOutage(async () => {
      for (const [method, path, sending] of [
        ['GET', '/me', { headers: [cookies(browser)] }],
        ['GET', '/me', { headers: [bearer(program.access)] }],
        ['HEAD', '/me', { headers: [cookies(browser)] }],
        ['GET', '/guarded', { headers: [cookies(browser)] }],
        ['POST', '/login', { headers: ours, json: { subject: browser.subject, delivery: 'cookie' } }],
        ['POST', '/change', { headers: ours }],
        ...(app.renews ? [['POST', '/refresh', { headers: ours }] as const] : []),
        ...(app.renews ? [['POST', '/refresh', { json: { refreshToken: program.refresh } }] as const] : []),
        ['POST', '/logout', { headers: ours }],
      ] as const) {
        const answer = await line.send(method, path, sending)
        equals([method, path, answer.status, answer.setCookies], [method, path, 503, []])
        match(answer.header('retry-after') ?? '(no Retry-After)', /^[1-9][0-9]*$/)
        equals(answer.header('clear-site-data'), undefined)
        if (method !== 'HEAD') matches(answer.body, { status: 503, code: 'unavailable' })
        ok(!answer.text.includes('the store of the suite'), 'the message of a fault is for the log')
      }
      // What needs no store is answered as ever.
      equals((await line.send('GET', '/me')).status, 401)
      equals((await me(app, { access: 'garbage' })).status, 401)
    })
    equals([await app.stateOf(browser), await app.stateOf(program)], ['live', 'live'])
    equals((await line.send('GET', '/me', { headers: [cookies(browser)] })).status, 200)
  })
}

/** The answer is the one that `problemOf` of `countersign/http` gives. Realm and further parts of a challenge are the application's. */
export function refusedAs(answer: Answer, refused: HttpRefused): void {
  const { status, headers, body } = problemOf(refused)
  matches(answer, { status, body, setCookies: [] })
  equals(answer.header('content-type')?.replace(/;\s*/g, '; ').toLowerCase(), PROBLEM_TYPE)
  match(answer.header('cache-control') ?? '(no Cache-Control)', /\bno-store\b/)
  const challenge = answer.header('www-authenticate')
  const error = /error="([^"]*)"/.exec(headers['www-authenticate'] ?? '')?.[1]
  equals(/^Bearer .*error="([^"]*)"/.exec(challenge ?? '')?.[1], error)
  if (headers['www-authenticate'] === undefined) equals(challenge, undefined)
}
