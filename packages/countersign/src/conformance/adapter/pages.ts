import { doesNotMatch, match } from 'node:assert/strict'
import { equals, matches } from '../checks.ts'
import { type AppBench, cookieIn, cookies, type Header, type RunningApp } from './bench.ts'
import type { Answer } from './client.ts'

/** What a browser sends for a navigation that another site, or our own, has begun. */
const navigation = (site: 'cross-site' | 'same-origin' | 'none'): readonly Header[] => [
  ['Accept', 'text/html,application/xhtml+xml,*/*;q=0.8'],
  ['Sec-Fetch-Site', site],
  ['Sec-Fetch-Mode', 'navigate'],
  ['Sec-Fetch-Dest', 'document'],
]

/** The path and query that an answer leads to. */
const target = (answer: Answer) => {
  const url = new URL(answer.header('location') ?? 'none:', 'http://here')
  return [answer.status, url.origin, url.pathname, Object.fromEntries(url.searchParams)]
}

/** Answers for people. */
export function pageCases({ test }: AppBench): void {
  const page = (app: RunningApp, headers: readonly Header[], path = '/page?a=1&b=%20') =>
    app.line().send('GET', path, { headers })

  test('page: nobody is logged in: to the login page, which knows why and where to go on', async (app) => {
    for (const site of ['same-origin', 'none'] as const) {
      const answer = await page(app, navigation(site))
      const query = { reason: 'missing', returnTo: '/page?a=1&b=%20' }
      equals(target(answer), [303, 'http://here', '/login-page', query])
      equals(answer.setCookies, [])
      match(answer.header('cache-control')!, /no-store/)
    }
  })

  test('page: a program gets the problem on the same path', async (app) => {
    for (const headers of [[], [['Accept', 'application/json']], [['Accept', '*/*']]] as const) {
      matches(await page(app, headers), { status: 401, body: { code: 'unauthenticated' } })
    }
    // A `fetch` of our own page is one too, whatever it accepts.
    const fetched: Header[] = [
      ['Accept', 'text/html'],
      ['Sec-Fetch-Site', 'same-origin'],
      ['Sec-Fetch-Mode', 'cors'],
      ['Sec-Fetch-Dest', 'empty'],
    ]
    matches(await page(app, fetched), { status: 401, body: { code: 'unauthenticated' } })
  })

  test('page: a session that ended, and one that lacks a role', async (app) => {
    const tokens = await app.login()
    const answer = await page(app, [cookies(tokens), ...navigation('same-origin')], '/guarded')
    matches(answer, { status: 403, body: { reason: 'forbidden' } })
    await app.sessions.revokeAll(tokens.subject, { reason: 'password_changed' })
    const ended = await page(app, [cookies(tokens), ...navigation('same-origin')])
    const query = { reason: 'ended', endedBy: 'password_changed', returnTo: '/page?a=1&b=%20' }
    equals(target(ended), [303, 'http://here', '/login-page', query])
    const garbage = await page(app, [['Cookie', '__Host-access=garbage'], ...navigation('same-origin')])
    equals(target(garbage)[3], { reason: 'invalid_token', returnTo: '/page?a=1&b=%20' })
    equals(garbage.setCookies, [])
  })

  test(
    'page: a link from elsewhere, and the cookies were withheld: a page of ours asks for them, and comes back',
    async (app) => {
      const tokens = await app.login()
      app.clock.advance('11s')
      const bounce = await page(app, navigation('cross-site'))
      equals([bounce.status, bounce.header('content-type')], [401, 'text/html; charset=utf-8'])
      match(bounce.header('content-security-policy')!, /script-src 'self'.*frame-ancestors 'none'/)
      doesNotMatch(bounce.text, /<script(?![^>]*\ssrc=)|\son\w+=|javascript:/i)
      match(bounce.text, /<button>/)
      const form = readForm(bounce.text)
      const done = await app.line().send('POST', form.action, {
        headers: [cookies({ refresh: tokens.refresh }), ['Origin', app.origin], ...navigation('same-origin')],
        raw: { type: 'application/x-www-form-urlencoded', text: form.text },
      })
      equals(target(done), [303, 'http://here', '/page', { a: '1', b: ' ' }])
      const access = cookieIn(done, 'access')!
      const back = await page(app, [cookies({ access }), ...navigation('same-origin')])
      matches(back, { status: 200, body: { subject: tokens.subject } })
      // The script that sends the form is a file of our own.
      const script = await app.line().send('GET', /<script src="([^"]+)"/.exec(bounce.text)![1]!)
      equals([script.status, script.header('content-type')], [200, 'text/javascript; charset=utf-8'])
    },
    'refresh',
  )

  test(
    'page: an access token that expired is renewed the same way',
    async (app) => {
      const tokens = await app.login()
      app.clock.advance('11m')
      const bounce = await page(app, [cookies(tokens), ...navigation('same-origin')])
      equals([bounce.status, bounce.header('content-type')], [401, 'text/html; charset=utf-8'])
      equals(bounce.setCookies, [])
    },
    'refresh',
  )

  test(
    'page: it is tried once: without a session, and where cookies do not stay, it ends at the login page',
    async (app) => {
      const { action, text } = readForm((await page(app, navigation('cross-site'))).text)
      const raw = { type: 'application/x-www-form-urlencoded', text }
      const nobody = await app
        .line()
        .send('POST', action, { headers: [['Origin', app.origin], ...navigation('same-origin')], raw })
      equals(target(nobody), [303, 'http://here', '/login-page', { reason: 'missing', returnTo: '/page?a=1&b=%20' }])
      equals(nobody.setCookies, [])
      const tokens = await app.login()
      const headers = [cookies(tokens), ['Origin', app.origin] as const, ...navigation('same-origin')]
      const done = await app.line().send('POST', action, { headers, raw })
      const mark = done.setCookies.find((line) => line.startsWith('__Host-bounce='))!.split(';')[0]!
      const again = await page(app, [['Cookie', mark], ...navigation('cross-site')])
      equals(target(again).slice(0, 3), [303, 'http://here', '/login-page'])
    },
    'refresh',
  )

  test('page: no way leads to another origin', async (app) => {
    const tokens = await app.login()
    const evils = [
      'https://evil.test/',
      '//evil.test',
      '/\\evil.test',
      '\\\\evil.test',
      'https:evil.test',
      '/%09/evil.test'.replace('%09', '\t'),
      '/x@evil.test'.slice(1),
      'javascript:alert(1)',
      '/.//evil.test',
      '',
      '/a\r\nSet-Cookie: x=y',
    ]
    for (const returnTo of evils) {
      const headers = [cookies(tokens), ['Origin', app.origin] as const, ...navigation('same-origin')]
      const text = new URLSearchParams({ subject: app.subject(), returnTo }).toString()
      const raw = { type: 'application/x-www-form-urlencoded', text }
      const answer = await app.line().send('POST', '/login', { headers, raw })
      equals([returnTo, answer.status, answer.header('location')], [returnTo, 303, '/'])
    }
    // A path of the request itself is as much under the control of others.
    const own = await page(app, navigation('same-origin'), '//evil.test/x')
    doesNotMatch(own.header('location') ?? '', /evil/)
  })

  test('page: forms without scripts: log in, log out', async (app) => {
    const headers = [['Origin', app.origin] as const, ...navigation('same-origin')]
    const raw = (text: string) => ({ type: 'application/x-www-form-urlencoded', text })
    const line = app.line()
    const login = await line.send('POST', '/login', { headers, raw: raw(`subject=${app.subject()}&returnTo=/page`) })
    equals([login.status, login.header('location'), login.text], [303, '/page', ''])
    const access = cookieIn(login, 'access')!
    const out = await line.send('POST', '/logout', { headers: [cookies({ access }), ...headers], raw: raw('') })
    equals([out.status, out.header('location'), cookieIn(out, 'access')], [303, '/login-page', ''])
    equals((await line.send('GET', '/me', { headers: [cookies({ access })] })).status, 401)
  })
}

/** The form of the bounce document, as a browser sends it. */
function readForm(html: string): { readonly action: string; readonly text: string } {
  const plain = (text: string) => text.replace(/&#(\d+);/g, (_, code) => String.fromCharCode(Number(code)))
  const action = plain(/<form method="post" action="([^"]+)"/.exec(html)?.[1] ?? '')
  const fields = [...html.matchAll(/name="([^"]+)" value="([^"]*)"/g)].map(([, name, value]): [string, string] => [
    name!,
    plain(value!),
  ])
  return { action, text: new URLSearchParams(fields).toString() }
}
