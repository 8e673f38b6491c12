// The client of `countersign/browser` against the real service: requests, and sign-outs. The same in a real browser:
// test/browser/client-*.test.ts.
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { parseSessionId } from 'countersign'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { PASSWORD } from '../support.ts'
import { delayRefresh, gate, logIn, type Tab } from './tabs.ts'
import { app, bodyOf, live, open, REFRESH, SOON, signIn, somebody, statesOf, subjectOf } from './world.ts'

describe('requests', () => {
  test('the token goes to the own origin and to those that are named, and no further', async () => {
    const seen: (string | undefined)[] = []
    const other = createServer((request, response) => {
      seen.push(request.headers.authorization)
      response.end()
    })
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve))
    onTestFinished(() => void other.close())
    const url = `http://127.0.0.1:${(other.address() as AddressInfo).port}`
    const { openTab } = open()
    const [plain, named] = [openTab(), openTab({ origins: [url] })]
    await logIn(app, plain, somebody())
    await named.start()
    await plain.authFetch(`${url}/`)
    await named.authFetch(new Request(`${url}/`))
    await named.authFetch(`${url}/`, { headers: { authorization: 'Basic mine' } })
    expect(seen).toEqual([undefined, expect.stringMatching(/^Bearer eyJ/), 'Basic mine'])
  })

  test('an access token that is over is renewed and the request sent once more, with its body', async () => {
    const tab = open().openTab()
    await logIn(app, tab, somebody())
    const bodies: string[] = []
    tab.wire = async (request, go) => {
      if (request.url.endsWith('verify/request')) bodies.push(await request.clone().text())
      return go()
    }
    app.advance(11 * 60_000)
    tab.sent.length = 0
    const path = '/auth/email/verify/request'
    const init = { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{}' }
    expect((await tab.authFetch(path, init)).status).toBe(202)
    expect(tab.sent).toEqual([`POST ${path}`, REFRESH, `POST ${path}`])
    expect(bodies).toEqual(['{}', '{}'])

    app.advance(11 * 60_000)
    tab.sent.length = 0
    expect((await tab.authFetch(new Request(app.url + path, init))).status).toBe(202)
    expect(tab.sent).toEqual([`POST ${path}`, REFRESH, `POST ${path}`])

    // A stream is gone once it was sent. The 401 is the caller's; the token is a new one.
    app.advance(11 * 60_000)
    tab.sent.length = 0
    const stream = { ...init, body: new Blob(['{}']).stream(), duplex: 'half' } as RequestInit
    expect(await bodyOf(await tab.authFetch(path, stream))).toMatchObject({ status: 401, remedy: 'refresh' })
    expect(tab.sent).toEqual([`POST ${path}`, REFRESH])
    expect((await tab.authFetch(path, init)).status).toBe(202)
    expect(tab.sent.length).toBe(3)
  })

  test('exactly once more: a server that is never content gets two requests', async () => {
    const tab = open().openTab()
    await logIn(app, tab, somebody())
    let asked = 0
    tab.wire = async (request, go) => {
      if (request.url.endsWith('/auth/session')) {
        asked++
        request.headers.set('authorization', `${request.headers.get('authorization')?.slice(0, -5)}AAAAA`)
      }
      return go()
    }
    expect(await bodyOf(await tab.authFetch('/auth/session'))).toMatchObject({ status: 401, code: 'invalid_token' })
    expect(asked).toBe(2)
    // A signature that is wrong is no sign-out: the key may have been withdrawn.
    expect(tab.state.status).toBe('signed_in')
    expect(tab.outs).toEqual([])
  })

  test('many requests at once, one renewal; other tabs get its token', async () => {
    const { openTab } = open()
    const [one, two] = [openTab(), openTab()]
    await signIn(one, two)
    app.advance(11 * 60_000)
    one.sent.length = two.sent.length = 0
    const answers = await Promise.all(Array.from({ length: 20 }, () => one.authFetch('/auth/session')))
    expect(answers.map(({ status }) => status)).toEqual(Array(20).fill(200))
    expect(one.sent.filter((text) => text === REFRESH).length).toBe(1)
    // A task later at the latest: messages of a channel are no promises.
    await vi.waitFor(async () => {
      two.sent.length = 0
      expect((await two.authFetch('/auth/session')).status).toBe(200)
      expect(two.sent).toEqual(['GET /auth/session'])
    }, SOON)
  })

  test('step_up: the caller gets it, or onStepUp helps and the request is sent once more', async () => {
    const { openTab } = open()
    const asked: unknown[] = []
    const plain = openTab()
    const helped: Tab = openTab({
      onStepUp: async (problem) => {
        asked.push(problem.code)
        return (await helped.reauth({ password: PASSWORD })).ok
      },
    })
    const session = await signIn(plain, helped)
    app.advance(11 * 60_000)
    const all = [
      '/auth/sessions/revoke-all',
      { method: 'POST', body: '{"keepCurrent":true}', headers: { 'content-type': 'application/json' } },
    ] as const
    expect(await bodyOf(await plain.authFetch(...all))).toMatchObject({ status: 401, remedy: 'step_up' })
    expect((await helped.authFetch(...all)).status).toBe(200)
    expect(asked).toEqual(['insufficient_user_authentication'])
    // The id is another one, in the other tab too, and nobody was signed out by that.
    await vi.waitFor(() => expect(plain.state).toEqual(helped.state), SOON)
    expect(helped.state).not.toMatchObject({ session: { id: session.id } })
    expect([...plain.outs, ...helped.outs]).toEqual([])
    expect((await plain.authFetch('/auth/session')).status).toBe(200)
  })

  test('a password that is wrong is no sign-out, though the answer is 401', async () => {
    const tab = open().openTab()
    await logIn(app, tab, somebody())
    expect(await tab.reauth({ password: 'not the right password at all' })).toMatchObject({ reason: 'bad_credentials' })
    const init = { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{"password":"wrong"}' }
    expect((await tab.authFetch('/auth/reauth', init)).status).toBe(401)
    expect(tab.state.status).toBe('signed_in')
  })
})

describe('signed out', () => {
  test('logout in one tab signs all out, and says so', async () => {
    const { openTab, jar } = open()
    const tabs = [openTab(), openTab(), openTab()]
    const { subject } = await signIn(tabs[0]!, ...tabs.slice(1))
    for (const tab of tabs) tab.outs.length = 0
    expect(await tabs[1]!.logout()).toBe(true)
    await vi.waitFor(() => {
      for (const tab of tabs) expect(tab.state).toEqual({ status: 'signed_out', reason: 'logout' })
    }, SOON)
    expect(tabs.flatMap((tab) => tab.outs)).toEqual(['logout', 'logout', 'logout'])
    expect(await live(subject)).toEqual([])
    expect(jar.size).toBe(0)
    expect((await tabs[2]!.authFetch('/auth/session')).status).toBe(401)
  })

  test('a session that the server ended: the tab that finds out tells the others why', async () => {
    const { openTab } = open()
    const [one, two] = [openTab(), openTab()]
    const { id } = await signIn(one, two)
    await app.sessions.revoke(parseSessionId(id)!, { reason: 'admin' })
    expect((await one.authFetch('/auth/session')).status).toBe(401)
    await vi.waitFor(() => expect([one.outs, two.outs]).toEqual([['admin'], ['admin']]), SOON)
  })

  test('a logout that did not reach the server changes nothing', async () => {
    const tab = open().openTab()
    await logIn(app, tab, somebody())
    tab.wire = () => Promise.reject(new TypeError('cut'))
    await expect(tab.logout()).rejects.toThrow('cut')
    expect(tab.state.status).toBe('signed_in')
    tab.wire = (_request, go) => go()
    expect((await tab.authFetch('/auth/session')).status).toBe(200)
    expect(await tab.logout()).toBe(true)
  })

  test('a renewal that began before the logout brings nothing back, in no tab', async () => {
    const { openTab } = open()
    const [one, two] = [openTab(), openTab()]
    await signIn(one, two)
    app.advance(11 * 60_000)
    const { answered, late } = delayRefresh(two)
    const asked = two.authFetch('/auth/session')
    await answered.opened
    expect(await one.logout()).toBe(true)
    await vi.waitFor(() => expect(two.outs).toEqual(['logout']), SOON)
    const later = statesOf(one, two)
    late.open()
    expect((await asked).status).toBe(401)
    expect([one.state, two.state]).toEqual(Array(2).fill({ status: 'signed_out', reason: 'logout' }))
    expect(later).toEqual([])
  })

  test('a tab that is opened during the logout, and got its answer before the end of it, asks again', async () => {
    const { openTab } = open()
    // Long enough not to ask again because of that.
    const [one, two] = [openTab(), openTab({ timeoutMs: 600_000 })]
    await logIn(app, one, somebody())
    const [leaving, late, answered] = [gate(), gate(), gate()]
    one.wire = async (_request, go) => {
      await leaving.opened
      return go()
    }
    two.wire = async (_request, go) => {
      const response = await go()
      answered.open()
      await late.opened
      return response
    }
    const logout = one.logout()
    const later = statesOf(two)
    const started = two.start()
    await answered.opened
    leaving.open()
    await logout
    await vi.waitFor(() => expect(two.sent).toEqual([REFRESH, REFRESH]), SOON)
    late.open()
    expect(await started).toEqual({ status: 'signed_out', reason: 'missing' })
    expect(later).toEqual(['signed_out'])
  })

  test('late news of a session that this tab has left are not taken up', async () => {
    const names: string[] = []
    const channel = (name: string) => {
      names.push(`late ${name}`)
      return new BroadcastChannel(names[0]!) as never
    }
    const tab = open().openTab({}, { channel })
    await tab.start()
    const stranger = new BroadcastChannel(names[0]!)
    onTestFinished(() => stranger.close())
    const heard: { is: string }[] = []
    stranger.onmessage = ({ data }: any) => heard.push(data)
    await logIn(app, tab, somebody())
    await tab.logout()
    await vi.waitFor(() => expect(heard.map(({ is }) => is)).toContain('out'), SOON)
    const later = statesOf(tab)
    stranger.postMessage(heard.find(({ is }) => is === 'in'))
    // A session that it does not know comes after it: so the first has been looked at.
    const { credentials } = heard.find(({ is }) => is === 'in') as any
    const session = { ...credentials.session, id: 'another' }
    stranger.postMessage({ is: 'in', ageMs: 0, credentials: { ...credentials, session } })
    await vi.waitFor(() => expect(tab.state).toMatchObject({ session: { id: 'another' } }), SOON)
    expect(later).toEqual(['signed_in'])
  })

  test('somebody else logs in while another tab renews: no late cookie, and that tab says whose it was', async () => {
    const { openTab, jar } = open()
    const [one, two] = [openTab(), openTab()]
    await signIn(one, two)
    const identifier = somebody()
    await app.client().register(identifier)
    app.advance(11 * 60_000)
    const { answered, late } = delayRefresh(two)
    const asked = two.authFetch('/auth/session')
    await answered.opened
    const done = await one.login({ identifier, password: PASSWORD })
    const cookie = jar.get('__Host-refresh')
    await vi.waitFor(() => expect(two.outs).toEqual(['other_account']), SOON)
    late.open()
    await asked
    expect(jar.get('__Host-refresh')).toBe(cookie)
    expect(done).toMatchObject({ ok: true, session: { subject: subjectOf(two) } })
    expect((await openTab().start()).status).toBe('signed_in')
  })

  test('a request is not repeated for somebody else than it was meant for', async () => {
    const { openTab } = open()
    const [one, two] = [openTab(), openTab()]
    await signIn(one, two)
    const late = gate()
    const sent: string[] = []
    two.wire = async (request, go) => {
      if (!request.url.endsWith('/auth/session')) return go()
      sent.push(request.url)
      await late.opened
      return go()
    }
    const asked = two.authFetch('/auth/session')
    await logIn(app, one, somebody())
    await vi.waitFor(() => expect(subjectOf(two)).toBe(subjectOf(one)), SOON)
    late.open()
    expect(await bodyOf(await asked)).toMatchObject({ status: 401, endedBy: 'logout' })
    expect(sent.length).toBe(1)
    expect(two.state.status).toBe('signed_in')
  })

  test('nobody renews while a tab logs in', async () => {
    const { openTab } = open()
    const [one, two] = [openTab(), openTab()]
    await signIn(one, two)
    const identifier = somebody()
    await app.client().register(identifier)
    const proof = gate()
    one.wire = async (request, go) => {
      if (request.url.endsWith('login')) await proof.opened
      return go()
    }
    app.advance(11 * 60_000)
    two.sent.length = one.sent.length = 0
    const login = one.login({ identifier, password: PASSWORD })
    await vi.waitFor(() => expect(one.sent).toEqual(['POST /auth/login']), SOON)
    const asked = two.authFetch('/auth/session')
    // The old token goes out and is refused; what would follow waits.
    await vi.waitFor(() => expect(two.sent).toEqual(['GET /auth/session']), SOON)
    await app.client().get('/healthz')
    expect(two.sent).toEqual(['GET /auth/session'])
    proof.open()
    await login
    expect((await asked).status).toBe(401)
    expect(two.sent).toEqual(['GET /auth/session'])
    await vi.waitFor(() => expect(subjectOf(two)).toBe(subjectOf(one)), SOON)
  })
})
