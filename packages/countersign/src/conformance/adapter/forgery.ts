import { equals, matches } from '../checks.ts'
import { type AppBench, bearer, cookieIn, cookies, type Header } from './bench.ts'
import { refusedAs } from './refusals.ts'

/** What pages of others make a browser send. All of it comes with our cookies: `SameSite` is not what holds it off. */
const FOREIGN: readonly {
  readonly how: string
  readonly method: 'GET' | 'POST'
  readonly headers: readonly Header[]
}[] = ['cross-site', 'same-site'].flatMap((site) => {
  const sent = (how: string, method: 'GET' | 'POST', mode: string, dest: string, more: readonly Header[] = []) => {
    const headers = [['Sec-Fetch-Site', site], ['Sec-Fetch-Mode', mode], ['Sec-Fetch-Dest', dest], ...more] as Header[]
    return { how: `${site} ${how}`, method, headers }
  }
  const origin: Header = ['Origin', 'https://evil.test']
  return [
    sent('form', 'POST', 'navigate', 'document', [origin]),
    sent('form without origin', 'POST', 'navigate', 'document', [['Origin', 'null']]),
    sent('fetch', 'POST', 'cors', 'empty', [origin]),
    sent('no-cors fetch', 'POST', 'no-cors', 'empty', [origin]),
    sent('form in a frame', 'POST', 'navigate', 'iframe', [origin]),
    sent('image', 'GET', 'no-cors', 'image'),
    sent('script', 'GET', 'no-cors', 'script'),
    sent('frame', 'GET', 'navigate', 'iframe', [['Accept', 'text/html']]),
    sent('fetch for reading', 'GET', 'cors', 'empty', [origin]),
  ]
})

export function forgeryCases({ test }: AppBench): void {
  test('forgery: whatever another origin has the browser send with our cookies is refused', async (app) => {
    const tokens = await app.login()
    const line = app.line()
    for (const { how, method, headers } of FOREIGN) {
      const all = [cookies(tokens), ...headers]
      for (const path of method === 'GET'
        ? ['/me', '/page', '/guarded']
        : ['/change', '/form', '/logout', '/refresh']) {
        const answer = await line.send(method, path, { headers: all })
        equals([how, path, answer.status, answer.body?.reason], [how, path, 403, 'origin_foreign'])
        equals(answer.setCookies, [])
      }
    }
    equals(await app.stateOf(tokens), 'live')
  })

  test('forgery: old browsers, which say only Origin or Referer, or nothing', async (app) => {
    const tokens = await app.login()
    const line = app.line()
    for (const [name, value, reason] of [
      ['Origin', 'https://evil.test', 'origin_foreign'],
      ['Origin', 'null', 'origin_foreign'],
      ['Referer', 'https://evil.test/page', 'origin_foreign'],
      ['X-Nothing', 'at-all', 'origin_unproven'],
    ] as const) {
      const headers = [cookies(tokens), [name, value] as const]
      refusedAs(await line.send('POST', '/change', { headers }), { ok: false, reason, remedy: 'none' })
    }
    equals((await line.send('POST', '/change', { headers: [cookies(tokens), ['Origin', app.origin]] })).status, 200)
  })

  test('forgery: a link from elsewhere leads in, a header with a token is nobody’s but its sender’s', async (app) => {
    const [browser, program] = [await app.login(), await app.program()]
    const line = app.line()
    const link: Header[] = [
      ['Sec-Fetch-Site', 'cross-site'],
      ['Sec-Fetch-Mode', 'navigate'],
      ['Sec-Fetch-Dest', 'document'],
    ]
    equals((await line.send('GET', '/page', { headers: [cookies(browser), ...link] })).status, 200)
    const answer = await line.send('POST', '/change', { headers: [bearer(program.access)] })
    matches(answer, { status: 200, body: { subject: program.subject } })
  })

  test('forgery: a login that another origin sends plants no session', async (app) => {
    const line = app.line()
    const subject = app.subject()
    for (const { how, headers } of FOREIGN.filter(({ method }) => method === 'POST')) {
      for (const sending of [
        { json: { subject, delivery: 'cookie' } },
        { json: { subject, delivery: 'bearer' } },
        { raw: { type: 'text/plain', text: `{"subject":"${subject}","delivery":"cookie","x":"="}` } },
        { raw: { type: 'application/x-www-form-urlencoded', text: `subject=${subject}&delivery=cookie` } },
      ]) {
        const answer = await line.send('POST', '/login', { headers, ...sending })
        equals([how, answer.status === 403 || answer.status === 415, answer.setCookies], [how, true, []])
      }
    }
    const opened = []
    for await (const session of app.sessions.list(subject)) opened.push(session)
    equals(opened, [])
  })

  test('form token: proves a form where the browser says nothing, and belongs to one session', async (app) => {
    const [mine, theirs] = [await app.login(), await app.login()]
    const line = app.line()
    const tokenOf = async (headers: readonly Header[]) => {
      const answer = await line.send('GET', '/form', { headers })
      equals(answer.status, 200)
      return { token: answer.body.token as string, form: formCookie(answer.setCookies) }
    }
    const { token } = await tokenOf([cookies(mine)])
    const post = (headers: readonly Header[], path = '/change') => line.send('POST', path, { headers })
    const own: Header = ['Origin', app.origin]
    equals((await post([cookies(mine), ['X-Form-Token', token]])).status, 200)
    equals((await post([cookies(mine), own, ['X-Form-Token', token]], '/form')).status, 200)
    // Of another session, of none, none at all, changed: refused, also where the origin is ours.
    const stranger = await tokenOf([])
    for (const wrong of [(await tokenOf([cookies(theirs)])).token, stranger.token, `${token.slice(0, -1)}_`, '']) {
      equals((await post([cookies(mine), ['X-Form-Token', wrong]])).status, 403)
      const answer = await post([cookies(mine), own, ['X-Form-Token', wrong]], '/form')
      refusedAs(answer, { ok: false, reason: 'form_token', remedy: 'none' })
    }
    refusedAs(await post([cookies(mine), own], '/form'), { ok: false, reason: 'form_token', remedy: 'none' })
    // It never makes up for a page of somebody else's.
    const evil = await post([cookies(mine), ['X-Form-Token', token], ['Origin', 'https://evil.test']])
    refusedAs(evil, { ok: false, reason: 'origin_foreign', remedy: 'none' })
  })

  test('form token: before a login it is bound to the browser, and does not survive the login', async (app) => {
    const line = app.line()
    const first = await line.send('GET', '/form')
    const form = formCookie(first.setCookies)
    const { token } = first.body
    const json = (form_token: string) => ({ subject: app.subject(), delivery: 'cookie', form_token })
    const nothing = await line.send('POST', '/login', { json: json(token) })
    equals(nothing.status, 403)
    const stranger = formCookie((await line.send('GET', '/form')).setCookies)
    const other = await line.send('POST', '/login', { headers: [['Cookie', stranger]], json: json(token) })
    equals(other.status, 403)
    const login = await line.send('POST', '/login', { headers: [['Cookie', form]], json: json(token) })
    equals(login.status, 200)
    const headers = [['Cookie', `${cookies({ access: cookieIn(login, 'access')! })[1]}; ${form}`] as const]
    equals((await line.send('POST', '/change', { headers: [...headers, ['X-Form-Token', token]] })).status, 403)
    equals(formCookie(login.setCookies), `${form.split('=')[0]}=`)
  })
}

/** The pair of the cookie that form tokens are bound to. */
function formCookie(setCookies: readonly string[]): string {
  return (setCookies.find((line) => line.startsWith('__Host-form=')) ?? '').split(';')[0]!
}
