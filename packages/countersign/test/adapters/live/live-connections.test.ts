// The registry without a framework: outages, activity, and who is told what. The clock moves when the test moves it.
import type { Timeouts } from 'countersign'
import type { LiveConnection, LiveEnd, LiveOptions, LiveSessions } from 'countersign/live'
import { liveConnections } from 'countersign/live'
import { describe, expect, test, vi } from 'vitest'
import { openProcess, type Process, SOON, silenceable, stillRuntime } from './kit.ts'

/** A few looks: each takes 50 ms here. */
const looks = () => new Promise((resolve) => setTimeout(resolve, 300))

interface Setup {
  readonly live?: Partial<LiveOptions<any>>
  readonly timeouts?: Timeouts
}
async function setUp({ live = {}, timeouts = { absolute: '1d' } }: Setup = {}) {
  const clock = stillRuntime()
  const { runtime } = clock
  const silence = silenceable(runtime)
  const app = await openProcess({ store: silence.store, runtime, live, timeouts })
  return { ...app, silence, clock }
}

async function open({ live }: Pick<Process, 'live'>, id: never) {
  const ends: LiveEnd[] = []
  const opened = await live.open(id, { end: (end) => void ends.push(end) })
  if (!opened.ok) throw new Error(opened.reason)
  const connection: LiveConnection<any> = opened.connection
  return { connection, ends }
}

describe('while the store does not answer', () => {
  test('connections stay, new ones get the fault, and what happened meanwhile is told when it is back', async () => {
    const app = await setUp()
    const [one, two, late] = [await app.login('a'), await app.login('b'), await app.login('c')]
    const [a, b] = [await open(app, one.id as never), await open(app, two.id as never)]
    app.silence.isSilent = true
    await looks()
    app.clock.advance('1h')
    await looks()
    expect([a.ends, b.ends]).toEqual([[], []])
    await expect(open(app, late.id as never)).rejects.toMatchObject({ code: 'ERR_STORE_UNAVAILABLE' })
    expect(app.live.size).toBe(2)
    app.silence.isSilent = false
    await app.sessions.revoke(one.id, { reason: 'logout' })
    await vi.waitFor(
      () => expect(a.ends).toEqual([{ kind: 'ended', reason: 'logout', remedy: 'sign_in', reconnect: false }]),
      SOON,
    )
    expect(b.ends).toEqual([])
  })

  test('with closeAfter they are closed after that, and not as a logout', async () => {
    const app = await setUp({ live: { outage: { closeAfter: '10s' } } })
    const { ends } = await open(app, (await app.login()).id as never)
    app.clock.advance('15s')
    await looks()
    expect(ends).toEqual([])
    app.silence.isSilent = true
    app.clock.advance('9s')
    await looks()
    expect(ends).toEqual([])
    app.clock.advance('3s')
    await vi.waitFor(() => expect(ends).toHaveLength(1), SOON)
    expect(ends).toEqual([{ kind: 'unavailable', reason: 'unavailable', remedy: 'none', reconnect: true }])
  })

  test('the absolute deadline holds all the same', async () => {
    const app = await setUp({ timeouts: { absolute: '20s' } })
    const { ends } = await open(app, (await app.login()).id as never)
    app.silence.isSilent = true
    app.clock.advance('19s')
    await looks()
    expect(ends).toEqual([])
    app.clock.advance('1s')
    await vi.waitFor(() => expect(ends).toHaveLength(1), SOON)
    expect(ends).toMatchObject([{ kind: 'ended', reason: 'expired_absolute', remedy: 'sign_in' }])
  })

  test('an idle deadline that goes by unseen is no logout: the session may have been used elsewhere', async () => {
    const app = await setUp({ timeouts: { absolute: '1d', idle: '20s' } })
    const { ends } = await open(app, (await app.login()).id as never)
    app.silence.isSilent = true
    app.clock.advance('23s')
    await vi.waitFor(() => expect(ends).toHaveLength(1), SOON)
    expect(ends).toMatchObject([{ kind: 'unavailable', reconnect: true }])
  })
})

test('an open connection is no activity, unless it is asked for', async () => {
  const cases = [
    { countsAsActivity: false, talks: true, reason: 'expired_idle' },
    { countsAsActivity: 'messages', talks: true, reason: 'expired_absolute' },
    { countsAsActivity: 'messages', talks: false, reason: 'expired_idle' },
    { countsAsActivity: 'open', talks: false, reason: 'expired_absolute' },
  ] as const
  const ran = cases.map(async ({ countsAsActivity, talks, reason }) => {
    const app = await setUp({ live: { countsAsActivity }, timeouts: { absolute: '1h', idle: '10m' } })
    const { connection, ends } = await open(app, (await app.login()).id as never)
    // What is not noted would be over at the second step.
    for (let step = 1; ends.length === 0; step++) {
      const { lastSeenAtMs } = connection.session
      app.clock.advance('6m')
      if (talks) connection.received()
      await vi
        .waitFor(() => expect(ends.length === 1 || connection.session.lastSeenAtMs > lastSeenAtMs).toBe(true), {
          ...SOON,
          timeout: step === 1 && reason === 'expired_idle' ? 300 : SOON.timeout,
        })
        .catch((error) => {
          if (step > 1 || reason !== 'expired_idle') throw error
        })
    }
    expect(ends, JSON.stringify({ countsAsActivity, talks })).toMatchObject([{ kind: 'ended', reason }])
  })
  await Promise.all(ran)
})

test('one that cannot be told does not keep the others from being told', async () => {
  const app = await setUp()
  const { id } = await app.login()
  const warned = vi.spyOn(process, 'emitWarning').mockImplementation(() => {})
  const bad = [
    () => {
      throw new TypeError('canary')
    },
    () => Promise.reject(new RangeError('canary')),
  ]
  for (const end of bad) await app.live.open(id, { end })
  const { ends } = await open(app, id as never)
  await app.sessions.revoke(id, { reason: 'logout' })
  await vi.waitFor(() => expect(ends).toHaveLength(1), SOON)
  await vi.waitFor(() => expect(warned).toHaveBeenCalledTimes(2), SOON)
  expect(warned.mock.calls.map(([text]) => String(text)).join()).not.toContain('canary')
  warned.mockRestore()
  expect(app.live.size).toBe(0)
})

test('when the sessions are closed nobody is told to log in', async () => {
  const app = await setUp()
  const { ends } = await open(app, (await app.login()).id as never)
  await app.sessions.close()
  expect(ends).toMatchObject([{ kind: 'unavailable', reconnect: true }])
})

test('one that ends in the very turn in which it is let in is told, and not kept', async () => {
  const refused = { ok: false, reason: 'ended', endedBy: 'logout', remedy: 'sign_in' } as const
  const sessions: LiveSessions<{ n: number }> = {
    verify: () => Promise.reject(new Error('nobody asks')),
    verifyNow: () => undefined,
    follow(_id, on) {
      const session = { n: 1 }
      const first = Promise.resolve({ ok: true, session } as const).then((answer) => {
        on.over(refused)
        return answer
      })
      return { first, session, used() {}, stop() {} }
    },
  }
  const live = liveConnections({ sessions })
  const ends: LiveEnd[] = []
  const opened = await live.open('x' as never, { end: (end) => void ends.push(end) })
  expect(opened).toMatchObject({ ok: true, connection: { isOpen: false } })
  expect(ends).toMatchObject([{ kind: 'ended', reason: 'logout' }])
  expect(live.size).toBe(0)
})

test('close waits for those that close, and lets nobody in after', async () => {
  const app = await setUp()
  const { id } = await app.login()
  let isClosed = false
  const end = async () => {
    await new Promise((resolve) => setTimeout(resolve, 50))
    isClosed = true
  }
  await app.live.open(id, { end })
  const late = app.live.open((await app.login('b')).id, { end: () => {} })
  await Promise.all([app.live.close(), expect(late).rejects.toMatchObject({ code: 'ERR_CLOSED' })])
  expect(isClosed).toBe(true)
  await expect(app.live.open(id, { end })).rejects.toMatchObject({ code: 'ERR_CLOSED' })
  expect(app.live.health()).toMatchObject({ open: 0, ended: { shutdown: 1 } })
})

test('options: what is missing or wrong is named', async () => {
  const { sessions } = await openProcess()
  const bad: [object, string][] = [
    [{}, '"sessions"'],
    [{ sessions: { verify() {} } }, '"sessions"'],
    [{ sessions, outage: 'close' }, '"outage"'],
    [{ sessions, outage: { closeAfter: '2s' } }, '"outage.closeAfter"'],
    [{ sessions, countsAsActivity: true }, '"countsAsActivity"'],
    [{ sessions, closeGrace: '31s' }, '"closeGrace"'],
    [{ sessions, closegrace: '1s' }, 'closegrace'],
  ]
  for (const [options, name] of bad)
    expect(() => liveConnections(options as never), name).toThrow(
      expect.objectContaining({ code: 'ERR_CONFIG_INVALID', message: expect.stringContaining(name) }),
    )
})
