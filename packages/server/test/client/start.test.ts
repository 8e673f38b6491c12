// The client of `countersign/browser`: who is signed in, and what of the channel between tabs counts.
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { PASSWORD } from '../support.ts'
import { logIn } from './tabs.ts'
import { app, bodyOf, live, open, REFRESH, SOON, somebody, subjectOf } from './world.ts'

describe('who is signed in', () => {
  test('nobody, then somebody, in every tab, and after a reload; the token is in no state', async () => {
    const { openTab, jar } = open()
    const [one, two] = [openTab(), openTab()]
    expect(await one.start()).toEqual({ status: 'signed_out', reason: 'missing' })
    expect(await two.start()).toEqual({ status: 'signed_out', reason: 'missing' })
    expect(one.outs).toEqual(['missing'])

    const session = await logIn(app, one, somebody())
    expect(one.state).toEqual({ status: 'signed_in', session, unreachable: false })
    await vi.waitFor(() => expect(two.state).toEqual(one.state), SOON)
    expect(two.sent).toEqual([REFRESH])
    expect([...jar.keys()]).toEqual(['__Host-refresh'])
    expect(JSON.stringify([one.state, two.state])).not.toMatch(/eyJ|csr_/)
    expect((await bodyOf(await two.authFetch('/auth/session'))).session.current).toBe(true)

    const three = openTab()
    expect((await three.start()).status).toBe('signed_in')
    expect(subjectOf(three)).toBe(session.subject)
  })

  test('a wrong password says so and changes nothing', async () => {
    const tab = open().openTab()
    const done = await tab.login({ identifier: somebody(), password: PASSWORD })
    expect(done).toMatchObject({ ok: false, reason: 'bad_credentials', status: 401 })
    expect(tab.state.status).toBe('unknown')
  })

  test('a browser that keeps no cookie is told at the login, and the session is not left behind', async () => {
    const warnings: string[] = []
    const { openTab, blockCookies } = open()
    blockCookies()
    const tab = openTab({ onWarning: (warning) => warnings.push(warning) })
    const identifier = somebody()
    const { body } = await app.client().register(identifier)
    expect(await tab.login({ identifier, password: PASSWORD })).toMatchObject({ ok: false, reason: 'cookies_blocked' })
    expect(tab.state).toEqual({ status: 'signed_out', reason: 'cookies_blocked' })
    expect(warnings).toEqual(['cookies_blocked'])
    expect(await live(body.account.subject)).toEqual([])
  })

  test('a cookie that is none of ours: signed out, told why, and the next login works', async () => {
    const { openTab, jar } = open()
    jar.set('__Host-refresh', 'garbage')
    const tab = openTab()
    expect(await tab.start()).toEqual({ status: 'signed_out', reason: 'invalid_token' })
    await logIn(app, tab, somebody())
    expect((await openTab().start()).status).toBe('signed_in')
  })
})

test('what is no message of ours, or is about another session, does nothing', async () => {
  const { openTab } = open()
  const names: string[] = []
  const channel = (name: string) => {
    names.push(`noise ${name}`)
    return new BroadcastChannel(names[0]!) as never
  }
  const tab = openTab({}, { channel })
  await logIn(app, tab, somebody())
  const stranger = new BroadcastChannel(names[0]!)
  onTestFinished(() => stranger.close())
  const before = tab.state
  const session = { id: 'x', subject: 'x' }
  for (const message of [
    null,
    1,
    'out',
    {},
    { is: 'out' },
    { is: 'out', id: 'somebody-else', reason: 'x' },
    { is: 'in' },
    { is: 'leave' },
    { is: 'in', ageMs: 0, credentials: { session, expiresIn: 'x', accessToken: 1 } },
    { is: 'in', ageMs: 'x', credentials: { session, expiresIn: 1, accessToken: 'x' } },
  ])
    stranger.postMessage(message)
  stranger.postMessage({ is: 'out', id: (before as { session: { id: string } }).session.id, reason: 'last' })
  await vi.waitFor(() => expect(tab.outs).toEqual(['last']), SOON)
})
