// `follow` on every store: what is told, what is not, and that nothing between the call and its answer gets lost.
import {
  allowlist,
  CountersignError,
  createSessions,
  generateKeyring,
  type Keyring,
  loadKeyring,
  opaque,
  type Runtime,
  type Session,
} from 'countersign'
import type { ChangeFeed } from 'countersign/stores/contract'
import { testClock } from 'countersign/testing'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { z } from 'zod'
import { count } from '../../../../tools/test-support/counts.ts'
import { EVERY_STORE, type OpenedStore } from '../support/every-store.ts'

const SOON = { timeout: 30_000, interval: 5 }
const data = z.object({ n: z.number() })

let keyring: Keyring
beforeAll(async () => {
  keyring = await loadKeyring(generateKeyring())
})

function open(
  store: OpenedStore['store'],
  timeouts: { absolute: '1d' | '4s'; idle?: '1h' } = { absolute: '1d' },
  runtime?: Runtime,
) {
  return createSessions({
    strategy: allowlist({ issuer: 'i', audience: 'a', grace: '1s' }),
    keyring,
    store,
    timeouts,
    data,
    roles: ['user', 'admin'],
    ...(runtime && { runtime }),
  })
}
type Sessions = ReturnType<typeof open>

async function login(sessions: Sessions, subject: string) {
  const issued = await sessions.issue({ subject, roles: ['user', 'admin'], data: { n: 0 } })
  if (!issued.ok) throw new Error(issued.reason)
  return issued
}

/** Follows, and notes what is told. */
function follow(sessions: Sessions, id: Session['sessionId'], demands = {}) {
  const told: unknown[] = []
  const following = sessions.follow(
    id,
    {
      over: (refused) => told.push(['over', refused.endedBy ?? refused.reason, refused.remedy]),
      changed: (session, before) => told.push(['changed', session.roles, session.data, before.roles]),
      unsure: () => told.push(['unsure']),
      lost: (fault) => told.push(['lost', (fault as { code: string }).code]),
    },
    demands,
  )
  return { ...following, told, now: () => following.session }
}

describe.concurrent.each(EVERY_STORE)('follow on $name', ({ open: openStore }) => {
  let store: OpenedStore
  let here: Sessions
  let there: Sessions
  beforeAll(async () => {
    store = await openStore()
    here = open(store.store)
    there = open(store.another())
    await Promise.all([here.ready(), there.ready()])
  })
  afterAll(async () => {
    await Promise.all([here?.close(), there?.close()])
    await store?.dispose()
  })

  test('an end by another process is told once, with its reason, and of nobody else', async () => {
    const [a, b, c] = await Promise.all(['end:a', 'end:a', 'end:c'].map((subject) => login(there, subject)))
    const [one, two, other] = [a, b, c].map((issued) => follow(here, issued!.session.sessionId))
    for (const each of [one, two, other]) expect((await each!.first).ok).toBe(true)
    await there.revoke(a!.session.sessionId, { reason: 'logout' })
    await vi.waitFor(() => expect(one!.told).toEqual([['over', 'logout', 'sign_in']]), SOON)
    await there.revokeAll('end:a', { reason: 'banned', block: true })
    await vi.waitFor(() => expect(two!.told).toEqual([['over', 'banned', 'sign_in']]), SOON)
    // By this process: at once as well.
    await here.revokeAll('end:c', { reason: 'password_changed' })
    await vi.waitFor(() => expect(other!.told).toEqual([['over', 'password_changed', 'sign_in']]), SOON)
    expect(one!.told).toHaveLength(1)
  })

  test('what has ended is refused by the first answer, also while it is being followed by others', async () => {
    const issued = await login(there, 'first')
    const id = issued.session.sessionId
    const before = follow(here, id)
    await before.first
    await there.revoke(id, { reason: 'logout' })
    await vi.waitFor(() => expect(before.told).toHaveLength(1), SOON)
    const late = follow(here, id)
    expect(await late.first).toMatchObject({ ok: false, endedBy: 'logout' })
    expect(late.told).toEqual([])
  })

  test('a revocation side by side with the call is refused or told, in every round', async () => {
    const rounds = Array.from({ length: count(20, 1_000) }, async (_, round) => {
      const id = (await login(there, `race:${round}`)).session.sessionId
      const revoked = there.revoke(id, { reason: 'logout' })
      const following = follow(here, id)
      const [first] = await Promise.all([following.first, revoked])
      if (first.ok) await vi.waitFor(() => expect(following.told).toHaveLength(1), SOON)
      else expect(first.endedBy).toBe('logout')
    })
    await Promise.all(rounds)
  })

  test('lost roles and other data are told; a rotation and a use are not', async () => {
    const issued = await login(there, 'change')
    const id = issued.session.sessionId
    const following = follow(here, id)
    await following.first
    await there.setRoles('change', ['user'])
    await vi.waitFor(() => expect(following.told).toHaveLength(1), SOON)
    expect(following.told[0]).toEqual(['changed', ['user'], { n: 0 }, ['user', 'admin']])
    await there.update(id, ({ n }) => ({ n: n + 1 }))
    await vi.waitFor(() => expect(following.told).toHaveLength(2), SOON)
    expect(following.told[1]).toEqual(['changed', ['user'], { n: 1 }, ['user']])

    await new Promise((resolve) => setTimeout(resolve, 1_050))
    const rotated = await there.refresh(issued.refreshToken)
    expect(rotated).toMatchObject({ ok: true, rotation: 'rotated' })
    if (rotated.ok) await there.verify(rotated.accessToken)
    // The next thing that is told comes after it, and nothing in between.
    await there.setRoles('change', [])
    await vi.waitFor(() => expect(following.told).toHaveLength(3), SOON)
    expect(following.told[2]).toEqual(['changed', [], { n: 1 }, ['user']])
    following.stop()
  })

  test('roles that wait come with the refresh', async () => {
    const issued = await login(there, 'gain')
    await there.setRoles('gain', ['user'])
    const following = follow(here, issued.session.sessionId)
    await following.first
    await there.setRoles('gain', ['user', 'admin'])
    await new Promise((resolve) => setTimeout(resolve, 1_050))
    expect(following.now()?.roles).toEqual(['user'])
    expect(await there.refresh(issued.refreshToken)).toMatchObject({ ok: true, rotation: 'rotated' })
    await vi.waitFor(() => expect(following.told).toEqual([['changed', ['user', 'admin'], { n: 0 }, ['user']]]), SOON)
    following.stop()
  })

  test('demanded roles: refused without, and over when the last of them is lost', async () => {
    const id = (await login(there, 'demand')).session.sessionId
    expect(await follow(here, id, { audience: 'b' }).first).toMatchObject({ reason: 'claim_mismatch' })
    expect(await follow(here, id, { acr: 'aal2' }).first).toMatchObject({ reason: 'insufficient_authentication' })
    const following = follow(here, id, { roles: ['admin'] })
    await following.first
    await there.setRoles('demand', ['user'])
    await vi.waitFor(() => expect(following.told).toEqual([['over', 'forbidden', 'none']]), SOON)
    expect(await follow(here, id, { roles: ['admin'] }).first).toMatchObject({ reason: 'forbidden' })
  })

  test('a step-up says where to go on', async () => {
    const id = (await login(there, 'step')).session.sessionId
    const following = follow(here, id)
    await following.first
    expect((await there.stepUp(id, { acr: 'aal2', amr: ['otp'] })).ok).toBe(true)
    await vi.waitFor(() => expect(following.told).toEqual([['over', 'replaced', 'refresh']]), SOON)
  })

  test('an expiry is told as one, also by a store that forgets what has expired', async () => {
    const brief = open(store.another(), { absolute: '4s' })
    const following = follow(brief, (await login(brief, 'brief')).session.sessionId)
    expect((await following.first).ok).toBe(true)
    await vi.waitFor(() => expect(following.told).toEqual([['over', 'expired_absolute', 'sign_in']]), SOON)
    // On memory both have the one store.
    if (brief.health().nearCache.mode !== 'own') await brief.close()
  })

  test('everybody out', async () => {
    const own = await openStore()
    const [one, two] = [open(own.store), open(own.another())]
    try {
      const following = follow(one, (await login(two, 'everyone')).session.sessionId)
      await following.first
      await two.revokeEveryone({ reason: 'admin' })
      // Well before each record is read again for its age.
      const soon = { ...SOON, timeout: 20_000 }
      await vi.waitFor(() => expect(following.told).toEqual([['over', 'admin', 'sign_in']]), soon)
    } finally {
      await Promise.all([one.close(), two.close()])
      await own.dispose()
    }
  })
})

test.concurrent('sqlite: the file is asked whether it has changed, and not for each session', async () => {
  const own = await EVERY_STORE.find(({ name }) => name === 'sqlite')!.open()
  const [here, there] = [open(own.store), open(own.another())]
  const reads = () => here.health().nearCache.misses
  try {
    const issued = await Promise.all(Array.from({ length: 20 }, (_, n) => login(there, `quiet:${n}`)))
    const all = issued.map(({ session }) => follow(here, session.sessionId))
    await Promise.all(all.map(({ first }) => first))
    // Until the last of those writes has been seen.
    await new Promise((resolve) => setTimeout(resolve, 500))
    expect(reads()).toBeGreaterThanOrEqual(20)
    const before = reads()
    await new Promise((resolve) => setTimeout(resolve, 2_500))
    // On a machine that is held up for a second each is read again.
    expect(reads() - before).toBeLessThanOrEqual(20)
    await there.revoke(issued[7]!.session.sessionId, { reason: 'logout' })
    await vi.waitFor(() => expect(all[7]!.told).toEqual([['over', 'logout', 'sign_in']]), SOON)
  } finally {
    await Promise.all([here.close(), there.close()])
    await own.dispose()
  }
})

test.concurrent.each([
  ['67m', 'expired_idle'],
  ['25h', 'expired_absolute'],
] as const)('after %s: %s', async (later, reason) => {
  const clock = testClock()
  const { store } = await EVERY_STORE.find(({ name }) => name === 'memory')!.open(clock.runtime)
  const sessions = open(store, { absolute: '1d', idle: '1h' }, clock.runtime)
  const following = follow(sessions, (await login(sessions, 'u')).session.sessionId)
  await following.first
  clock.advance(later)
  await vi.waitFor(() => expect(following.told).toEqual([['over', reason, 'sign_in']]), SOON)
  await sessions.close()
})

test.concurrent('a use keeps it from becoming idle, and writes once per tenth of the window', async () => {
  const clock = testClock()
  const { store } = await EVERY_STORE.find(({ name }) => name === 'memory')!.open(clock.runtime)
  const touch = vi.spyOn(store.sessions, 'touch')
  const sessions = open(store, { absolute: '1d', idle: '1h' }, clock.runtime)
  const following = follow(sessions, (await login(sessions, 'u')).session.sessionId)
  await following.first
  for (let minute = 0; minute < 240; minute++) {
    clock.advance('1m')
    following.used()
    await Promise.all(touch.mock.results.map(({ value }) => value))
    // The answer to the question that the write asks for.
    await vi.waitFor(() => expect(clock.nowMs() - following.now()!.lastSeenAtMs).toBeLessThanOrEqual(7 * 60_000), SOON)
  }
  expect(following.told).toEqual([])
  expect(touch.mock.calls.length).toBeLessThanOrEqual(40)
  expect(touch.mock.calls.length).toBeGreaterThan(30)
  clock.advance('73m')
  await vi.waitFor(() => expect(following.told).toEqual([['over', 'expired_idle', 'sign_in']]), SOON)
  await sessions.close()
})

test.concurrent('a thousand followers of one session cost one, and one that stops hears nothing', async () => {
  const [memory] = EVERY_STORE
  const store = await memory!.open()
  const read = vi.spyOn(store.store.sessions, 'read')
  const sessions = open(store.store)
  const id = (await login(sessions, 'u')).session.sessionId
  await sessions.ready()
  read.mockClear()
  const all = Array.from({ length: 1_000 }, () => follow(sessions, id))
  await Promise.all(all.map(({ first }) => first))
  // All but the first came while its question was under way, and share another one.
  expect(read.mock.calls.length).toBeLessThanOrEqual(2)
  all[0]!.stop()
  await sessions.revoke(id, { reason: 'logout' })
  await vi.waitFor(() => expect(all.filter(({ told }) => told.length === 1)).toHaveLength(999), SOON)
  expect(all[0]!.told).toEqual([])
  await sessions.close()
})

test.concurrent('a word of a change whose question fails is not forgotten', async () => {
  const [memory] = EVERY_STORE
  const { store } = await memory!.open()
  let failing = 0
  const changes: ChangeFeed = {
    mode: 'own',
    open(listener, clock) {
      const feed = store.sessions.changes!.open(listener, clock)
      const fault = () => new CountersignError('ERR_STORE_TIMEOUT', 'the test says so')
      return { ...feed, read: (id) => (failing-- > 0 ? Promise.reject(fault()) : feed.read(id)) }
    },
  }
  const sessions = new Proxy(store.sessions, {
    get(target, name) {
      const method = Reflect.get(target, name)
      return name === 'changes' ? changes : typeof method === 'function' ? method.bind(target) : method
    },
  })
  const [here, there] = [open({ ...store, sessions }), open(store)]
  const id = (await login(there, 'u')).session.sessionId
  const following = follow(here, id)
  await following.first
  failing = 1
  await there.revoke(id, { reason: 'logout' })
  // Well before it is read again for its age.
  await vi.waitFor(() => expect(following.told).toHaveLength(1), { ...SOON, timeout: 15_000 })
  await Promise.all([here.close(), there.close()])
})

test.concurrent('a store that fails at once is asked again once a second, and not without end', async () => {
  const [memory] = EVERY_STORE
  const { store } = await memory!.open()
  const { sessions: kept } = store
  let isAway = false
  let asked = 0
  const changes: ChangeFeed = {
    mode: 'own',
    open(listener, clock) {
      const feed = kept.changes!.open(listener, clock)
      const fail = () => {
        // Without this the test would never get to say so.
        if (++asked > 1_000) isAway = false
        return Promise.reject(new CountersignError('ERR_STORE_TIMEOUT', 'the test says so'))
      }
      return { ...feed, read: (id) => (isAway ? fail() : feed.read(id)) }
    },
  }
  const sessions = new Proxy(kept, {
    get(target, name) {
      const method = Reflect.get(target, name)
      return name === 'changes' ? changes : typeof method === 'function' ? method.bind(target) : method
    },
  })
  const [here, there] = [open({ ...store, sessions }), open(store)]
  const id = (await login(there, 'u')).session.sessionId
  await follow(here, id).first
  isAway = true
  // What is followed is doubted now, so that whoever comes has to wait for an answer.
  await there.setRoles('u', ['user'])
  await vi.waitFor(() => expect(asked).toBe(1), SOON)
  const watched = here.watch([id], new AbortController().signal)[Symbol.asyncIterator]().next()
  await vi.waitFor(() => expect(asked).toBeGreaterThan(2), SOON)
  expect(asked).toBeLessThan(100)
  isAway = false
  await there.revoke(id, { reason: 'logout' })
  expect(await watched).toMatchObject({ value: { id, endedBy: 'logout' } })
  await Promise.all([here.close(), there.close()])
})

test.concurrent('an application that throws keeps nobody else from being told', async () => {
  const [memory] = EVERY_STORE
  const { store } = await memory!.open()
  const sessions = open(store)
  const warned: string[] = []
  const onWarning = (warning: Error) => warned.push(warning.message)
  process.on('warning', onWarning)
  const bad = () => {
    throw new TypeError('canary')
  }
  const [one, two] = [await login(sessions, 'one'), await login(sessions, 'two')]
  for (const { session } of [one, two])
    await sessions.follow(session.sessionId, { over: bad, changed: bad, lost: bad }).first
  const [first, second] = [one, two].map(({ session }) => follow(sessions, session.sessionId))
  await Promise.all([first!.first, second!.first])
  await sessions.setRoles('one', ['user'])
  await vi.waitFor(() => expect(first!.told).toHaveLength(1), SOON)
  await sessions.revoke(one.session.sessionId, { reason: 'logout' })
  await vi.waitFor(() => expect(first!.told[1]).toEqual(['over', 'logout', 'sign_in']), SOON)
  await sessions.close()
  expect(second!.told).toEqual([['lost', 'ERR_CLOSED']])
  await vi.waitFor(() => expect(warned.filter((text) => text.includes('TypeError'))).toHaveLength(3), SOON)
  expect(warned.join()).not.toContain('canary')
  process.off('warning', onWarning)
})

test.concurrent('whoever comes between a deadline and the next look is refused', async () => {
  const clock = testClock()
  const { store } = await EVERY_STORE.find(({ name }) => name === 'memory')!.open(clock.runtime)
  const sessions = open(store, { absolute: '4s' }, clock.runtime)
  const id = (await login(sessions, 'u')).session.sessionId
  await follow(sessions, id).first
  clock.advance('5s')
  expect(await follow(sessions, id).first).toMatchObject({ ok: false, reason: 'expired_absolute' })
  await sessions.close()
})

test.concurrent('closing tells, and follows nothing any more', async () => {
  const [memory] = EVERY_STORE
  const store = await memory!.open()
  const sessions = createSessions({
    strategy: opaque(),
    keyring,
    store: store.store,
    timeouts: { absolute: '1d' },
    data,
  })
  const issued = await sessions.issue({ subject: 'u', data: { n: 1 } })
  if (!issued.ok) throw new Error(issued.reason)
  const lost: unknown[] = []
  const on = { over: () => {}, lost: (fault: unknown) => lost.push(fault) }
  const following = sessions.follow(issued.session.sessionId, on)
  await following.first
  await sessions.close()
  expect(lost).toEqual([expect.objectContaining({ code: 'ERR_CLOSED' })])
  expect(() => sessions.follow(issued.session.sessionId, on)).toThrow(expect.objectContaining({ code: 'ERR_CLOSED' }))
  expect(() => sessions.follow('x' as never, on)).toThrow(expect.objectContaining({ code: 'ERR_INPUT_INVALID' }))
})
