// The near cache on one file, with real processes: what one of them has ended, the very next check of another refuses.
import { allowlist, createSessions, denylist, generateKeyring, loadKeyring, opaque, systemRuntime } from 'countersign'
import type { Line } from 'countersign/stores/contract'
import { sqliteStore } from 'countersign/stores/sqlite'
import { describe, expect, onTestFinished, test } from 'vitest'
import { count } from '../../../../../tools/test-support/counts.ts'
import type { Clock } from '../../../src/internal/runtime.ts'
import { SqliteFeed } from '../../../src/stores/sqlite/sqlite-feed.ts'
import { fill, isServed } from '../near-kit.ts'
import { execute, freshFile, startScript } from './support.ts'

const JWT = { issuer: 'https://a.test', audience: 'https://b.test' }
const STRATEGIES = { opaque: opaque(), allowlist: allowlist(JWT), denylist: denylist({ ...JWT, refresh: true }) }

async function setUp(strategy: keyof typeof STRATEGIES) {
  const file = freshFile()
  const keys = generateKeyring()
  const sessions = createSessions({
    strategy: STRATEGIES[strategy] as ReturnType<typeof allowlist<true>>,
    keyring: await loadKeyring(keys),
    store: sqliteStore({ file, busyDeadline: '20s' }),
    timeouts: { absolute: '1d' },
  })
  onTestFinished(() => sessions.close())
  await sessions.ready()
  return { file, keys, sessions }
}
type Sessions = Awaited<ReturnType<typeof setUp>>['sessions']

async function login(sessions: Sessions, subject: string) {
  const issued = await sessions.issue({ subject })
  if (!issued.ok) throw new Error(issued.reason)
  return { token: issued.accessToken, id: issued.session.sessionId }
}

describe.each(['opaque', 'allowlist', 'denylist'] as const)('%s', (strategy) => {
  test('what either of two other processes ends is refused by the very next check', async () => {
    const { file, keys, sessions } = await setUp(strategy)
    const others = [0, 1].map(() =>
      startScript(new URL('near-child.ts', import.meta.url), [file, JSON.stringify(keys)]),
    )
    await Promise.all(others.map((other) => other.said(1)))
    const rounds = count(20, 500)
    for (let round = 0; round < rounds; round++) {
      const { token, id } = await login(sessions, `user:${round % 5}`)
      await fill(sessions, token)
      const other = others[round % 2]!
      const said = other.lines.length
      other.process.stdin!.write(`${id}\n`)
      await other.said(said + 1)
      expect(sessions.verifyNow(token), `round ${round}`).toBeUndefined()
      expect(await sessions.verify(token)).toMatchObject({ ok: false, reason: 'ended', endedBy: 'logout' })
    }
    expect(sessions.health().nearCache.drops.reset).toBeGreaterThanOrEqual(rounds)
  })
})

test('while nobody writes, checks read nothing; what this process changes is dropped by itself', async () => {
  const { sessions } = await setUp('allowlist')
  const [one, two] = [await login(sessions, 'user:1'), await login(sessions, 'user:2')]
  await fill(sessions, one.token)
  await fill(sessions, two.token)
  const { misses } = sessions.health().nearCache
  for (let n = 0; n < 1_000; n++) expect((await sessions.verify(one.token)).ok).toBe(true)
  expect(sessions.health().nearCache).toMatchObject({ isOn: true, mode: 'probe', misses, warnings: [] })

  await sessions.revoke(one.id, { reason: 'logout' })
  expect(await sessions.verify(one.token)).toMatchObject({ reason: 'ended' })
  // Somebody else's session is served as before.
  expect(isServed(sessions, two.token)).toBe(true)
})

test('any commit of another connection voids every copy, which costs one read each', async () => {
  const { file, sessions } = await setUp('opaque')
  const { token } = await login(sessions, 'user:1')
  await fill(sessions, token)
  await execute(file, "INSERT INTO claims (scope, id, until_ms) VALUES ('s', 'i', 1)")
  expect(sessions.verifyNow(token)).toBeUndefined()
  expect((await sessions.verify(token)).ok).toBe(true)
  expect(sessions.health().nearCache).toMatchObject({ kept: 2, drops: { reset: 1 } })
  await fill(sessions, token)
})

test('a writer that has not committed is not waited for, and voids nothing', async () => {
  const { file, sessions } = await setUp('opaque')
  const { token } = await login(sessions, 'user:1')
  await fill(sessions, token)
  const holder = startScript(new URL('child.ts', import.meta.url), ['hold', file, '200'])
  await holder.said(1)
  // The copy of the floor may have grown old meanwhile, so this may ask for it, and for nothing else.
  await fill(sessions, token)
  await holder.ended
  expect(sessions.health().nearCache.drops).toMatchObject({ reset: 0, changed: 0 })
})

describe('a line whose question fails', () => {
  function lineOn(version: () => number | undefined, clock: Clock = systemRuntime.clock) {
    const resets: Line[] = []
    const feed = new SqliteFeed({
      sessions: { read: async () => ({ is: 'unknown' }) },
      revocations: { read: async () => ({ is: 'lost' }) },
      open: async () => undefined,
      version,
    })
    const opened = feed.open(
      {
        sessionChanged: () => undefined,
        revocationsChanged: () => undefined,
        reset: (line) => resets.push(line),
        floorRead: () => undefined,
        uses: () => 0,
      },
      clock,
    )
    return { opened, resets, read: () => opened.read('x' as Parameters<typeof opened.read>[0]) }
  }

  test('voids what was kept, serves nothing, and begins anew with the next answer', async () => {
    let answer: () => number = () => 1
    const { opened, resets, read } = lineOn(() => answer())
    const { line } = await read()
    expect(line?.fencedMonotonicMs).toBeGreaterThan(0)
    answer = () => {
      throw new Error('disk I/O error')
    }
    line!.probe!()
    expect(resets).toEqual([line])
    expect(line!.fencedMonotonicMs).toBe(Number.NEGATIVE_INFINITY)
    expect((await read()).line).toBeUndefined()
    expect(opened.status()).toMatchObject({
      lines: [{ isOpen: false }],
      warnings: [expect.stringContaining('not say')],
    })
    // Nothing that is read in between may be kept against the number that comes next.
    answer = () => 1
    expect((await read()).line).toBe(line)
    expect(opened.status()).toMatchObject({ lines: [{ isOpen: true }], warnings: [] })
  })

  test('a file that is closed is over', async () => {
    let version: number | undefined = 7
    const { resets, read } = lineOn(() => version)
    const { line } = await read()
    version = undefined
    line!.probe!()
    expect(resets).toEqual([line])
    expect(line!.fencedWallMs).toBe(Number.NEGATIVE_INFINITY)
  })
})
