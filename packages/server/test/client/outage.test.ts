// The client of `countersign/browser`: outages are no sign-outs, and when it renews.
import { CountersignError } from 'countersign'
import type { Page } from 'countersign/browser'
import { describe, expect, test, vi } from 'vitest'
import { logIn, type Wire } from './tabs.ts'
import { app, bodyOf, live, onRefresh, open, REFRESH, SOON, somebody } from './world.ts'

const noise = (): Wire => (request, go) => (/refresh/.test(request.url) ? Promise.reject(new TypeError('cut')) : go())

/** A page whose events the test makes, and what was done to it. */
function somePage() {
  const listeners: Record<string, (event: object) => void> = {}
  const done: string[] = []
  const page: Page = {
    on(given) {
      Object.assign(listeners, given)
      return () => undefined
    },
    hide: (hidden) => void done.push(hidden ? 'hidden' : 'shown'),
    reload: () => void done.push('reloaded'),
  }
  return { page, done, happens: (event: string, more: object = {}) => listeners[event]!(more) }
}

describe('an outage is no sign-out', () => {
  test('503: the caller gets it, the state stays, and it goes on by itself', async () => {
    const { openTab } = open()
    const tab = openTab()
    await logIn(app, tab, somebody())
    app.advance(11 * 60_000)
    onRefresh(() => Promise.reject(new CountersignError('ERR_STORE_UNAVAILABLE', 'away')))
    expect(await bodyOf(await tab.authFetch('/auth/session'))).toMatchObject({ status: 503, code: 'unavailable' })
    expect(tab.state).toMatchObject({ status: 'signed_in', unreachable: true })
    // Whoever asks meanwhile is answered at once, and nobody is asked for it.
    tab.sent.length = 0
    expect((await tab.authFetch('/auth/session')).status).toBe(503)
    expect(tab.sent.filter((text) => text === REFRESH)).toEqual([])
    onRefresh()
    await vi.waitFor(() => expect(tab.state).toMatchObject({ status: 'signed_in', unreachable: false }), SOON)
    expect((await tab.authFetch('/auth/session')).status).toBe(200)
    expect(tab.outs).toEqual([])
  })

  const OTHERS: readonly [string, Wire][] = [
    [
      'a captive portal',
      async () => new Response('<form>Pay here</form>', { headers: { 'content-type': 'text/html' } }),
    ],
    ['a gateway of somebody else', async () => Response.json({ status: 401, error: 'Unauthorized' }, { status: 401 })],
    ['a proxy that wants a password', async () => new Response('<h1>Who are you?</h1>', { status: 401 })],
  ]
  test.each([['no network', noise()], ...OTHERS])(
    '%s: at the start it stays unknown until there is an answer',
    async (_name, wire) => {
      const { openTab } = open()
      const session = await logIn(app, openTab(), somebody())
      const tab = openTab()
      tab.wire = wire
      expect(await tab.start()).toEqual({ status: 'unknown', unreachable: true })
      tab.wire = (_request, go) => go()
      await vi.waitFor(
        () => expect(tab.state).toMatchObject({ status: 'signed_in', session: { id: session.id } }),
        SOON,
      )
      expect(tab.outs).toEqual([])
    },
  )

  test.each(OTHERS)('%s answers the logout: it is not done, and says so', async (_name, wire) => {
    const tab = open().openTab()
    const { subject } = await logIn(app, tab, somebody())
    tab.wire = wire
    expect(await tab.logout()).toBe(false)
    expect(tab.state.status).toBe('signed_in')
    tab.wire = (_request, go) => go()
    expect(await tab.logout()).toBe(true)
    expect(await live(subject)).toEqual([])
  })

  test('the next attempt comes when the browser is online again', async () => {
    const { page, happens } = somePage()
    // No timer of a pause ever goes off.
    const never = (fn: () => void, ms: number) => (ms >= 250 ? setTimeout(() => {}, 0) : setTimeout(fn, ms))
    const { openTab } = open()
    const session = await logIn(app, openTab(), somebody())
    const tab = openTab({}, { page, setTimeout: never })
    tab.wire = noise()
    expect(await tab.start()).toEqual({ status: 'unknown', unreachable: true })
    tab.wire = (_request, go) => go()
    expect(await tab.start()).toEqual({ status: 'unknown', unreachable: true })
    happens('online')
    await vi.waitFor(() => expect(tab.state).toMatchObject({ status: 'signed_in', session: { id: session.id } }), SOON)
  })

  test('an answer that was lost is asked for again, and is the same', async () => {
    const { openTab, jar } = open()
    const tab = openTab()
    const { subject } = await logIn(app, tab, somebody())
    app.advance(11 * 60_000)
    const lost: string[] = []
    tab.wire = async (request, go) => {
      const response = await go()
      if (!request.url.endsWith('refresh') || lost.length > 0) return response
      lost.push(response.headers.getSetCookie()[0]!)
      throw new TypeError('cut')
    }
    expect((await tab.authFetch('/auth/session')).status).toBe(200)
    expect(lost).toEqual([expect.stringContaining(jar.get('__Host-refresh')!)])
    expect((await live(subject)).length).toBe(1)
  })

  test('an answer that does not come is given up before the grace is over', async () => {
    const { openTab } = open()
    const tab = openTab({ timeoutMs: 200 })
    await logIn(app, tab, somebody())
    app.advance(11 * 60_000)
    let isSilent = true
    tab.wire = (request, go) => {
      if (!request.url.endsWith('refresh') || !isSilent) return go()
      isSilent = false
      return new Promise(() => undefined)
    }
    tab.sent.length = 0
    expect((await tab.authFetch('/auth/session')).status).toBe(200)
    expect(tab.sent).toEqual(['GET /auth/session', REFRESH, REFRESH, 'GET /auth/session'])
  })
})
describe('when', () => {
  /** A tab whose clocks and timers the test moves. */
  function movable() {
    let [monotonic, wall] = [1_000, 1_700_000_000_000]
    const timers = new Map<number, { at: number; fn: () => void }>()
    let next = 0
    return {
      platform: {
        monotonicMs: () => monotonic,
        wallMs: () => wall,
        random: () => 0.5,
        setTimeout(fn: () => void, ms: number) {
          timers.set(++next, { at: monotonic + ms, fn })
          return next
        },
        clearTimeout: (timer: unknown) => void timers.delete(timer as number),
      },
      setWall: (ms: number) => {
        wall += ms
      },
      pass(ms: number) {
        monotonic += ms
        wall += ms
        for (const [id, { at, fn }] of timers) {
          if (at > monotonic) continue
          timers.delete(id)
          fn()
        }
      },
    }
  }

  test('a token that was used is renewed ahead, at 80 % of its life; one that was not is left alone', async () => {
    const { openTab } = open()
    const { platform, pass } = movable()
    const tab = openTab({}, platform)
    await logIn(app, tab, somebody())
    tab.sent.length = 0
    pass(479_000)
    pass(100_000)
    await app.client().get('/healthz')
    expect(tab.sent).toEqual([])
    // Nobody waits: it is still good, and renewed before it is used.
    expect((await tab.authFetch('/auth/session')).status).toBe(200)
    expect(tab.sent).toEqual([REFRESH, 'GET /auth/session'])
    pass(478_000)
    await app.client().get('/healthz')
    expect(tab.sent.length).toBe(2)
    pass(3_000)
    await vi.waitFor(() => expect(tab.sent.slice(2)).toEqual([REFRESH]), SOON)
  })

  test.each([
    ['ahead', 3_600_000],
    ['behind', -3_600_000],
  ])('a clock that is set an hour %s costs at most a renewal', async (_word, ms) => {
    const { openTab } = open()
    const { platform, setWall, pass } = movable()
    const tab = openTab({}, platform)
    await logIn(app, tab, somebody())
    setWall(ms)
    tab.sent.length = 0
    for (let i = 0; i < 3; i++) expect((await tab.authFetch('/auth/session')).status).toBe(200)
    expect(tab.sent.filter((text) => text === REFRESH).length).toBe(ms > 0 ? 1 : 0)
    pass(590_000)
    for (let i = 0; i < 3; i++) expect((await tab.authFetch('/auth/session')).status).toBe(200)
    expect(tab.outs).toEqual([])
  })

  test.each([
    [true, ['hidden', 'shown']],
    [false, []],
  ])(
    'restored from the cache with hideWhenRestored %s: the state is unknown until the service was asked',
    async (hideWhenRestored, expected) => {
      const { page, done, happens } = somePage()
      const tab = open().openTab({ hideWhenRestored }, { page })
      const session = await logIn(app, tab, somebody())
      happens('pagehide')
      happens('pageshow', { persisted: true })
      expect(tab.state).toEqual({ status: 'unknown', unreachable: false })
      await vi.waitFor(
        () => expect(tab.state).toMatchObject({ status: 'signed_in', session: { id: session.id } }),
        SOON,
      )
      expect(done).toEqual(expected)
    },
  )

  test('a client that is closed asks nothing more, also in the middle of a renewal', async () => {
    const tab = open().openTab()
    tab.wire = () => new Promise(() => undefined)
    const started = tab.start()
    await vi.waitFor(() => expect(tab.sent).toEqual([REFRESH]), SOON)
    tab.close()
    expect(await started).toEqual({ status: 'unknown', unreachable: false })
    expect(tab.sent).toEqual([REFRESH])
  })
})
