/** Row D3 of the fault matrix: a Redis that is killed, at any moment, with what it acknowledged. */
import { readdirSync, statSync, truncateSync } from 'node:fs'
import { join } from 'node:path'
import { redisStore } from 'countersign/stores/redis'
import { afterEach, describe, expect, test } from 'vitest'
import { count } from '../../../../tools/test-support/counts.ts'
import { type RedisServer, startRedis } from '../../../../tools/test-support/redis-server.ts'
import { cleanUpAll, later, onRedis, openSessions, sleep, until, verdict, withoutJournal } from './kit.ts'

afterEach(cleanUpAll)

const KILLS = count(30, 200)

test(`appendfsync always: ${KILLS} kills lose no acknowledged revocation, rotation or update`, async () => {
  const server = await startRedis({ appendonly: true, appendfsync: 'always' })
  later(() => server.stop())
  // Nothing is done again here: what survives, the server has kept.
  const { sessions, login } = openSessions(withoutJournal(redisStore({ url: server.url, deadline: '10s' })))
  await sessions.ready()
  const rounds = []
  for (let n = 0; n < KILLS; n++)
    rounds.push([await login(`a${n}`), await login(`b${n}`), await login(`c${n}`)] as const)
  const d = await login('d')
  await sleep(1_010) // from here on a refresh rotates
  const acknowledged = { revoked: 0, rotated: 0, updated: 0 }
  for (const [round, [a, b, c]] of rounds.entries()) {
    const whenAway = 'throw'
    const done: { revoked?: true; all?: true; rotated?: string; n: number } = { n: acknowledged.updated }
    let isKilled = false
    const work = Promise.allSettled([
      sessions.revoke(a.id, { reason: 'logout', whenAway }).then((ended) => {
        expect(ended).toMatchObject({ ended: 1, durability: 'fsynced' })
        done.revoked = true
      }),
      sessions.revokeAll(`b${round}`, { reason: 'admin', whenAway }).then(() => {
        done.all = true
      }),
      sessions.refresh(c.refreshToken).then((next) => {
        if (next.ok && next.rotation === 'rotated') done.rotated = next.refreshToken
      }),
      (async () => {
        while (!isKilled) {
          const updated = await sessions.update(d.id, ({ n }) => ({ n: n + 1 }))
          if (updated.ok) done.n = updated.session.data.n
        }
      })(),
    ])
    await sleep(Math.random() * 12)
    await server.kill()
    isKilled = true
    await work
    await server.restart()
    await until(() =>
      sessions
        .verify(d.accessToken)
        .then(({ ok }) => ok)
        .catch(() => false),
    )

    if (done.revoked) expect(await verdict(sessions, a.accessToken)).toBe('ended by logout')
    if (done.all) expect(await verdict(sessions, b.accessToken)).toBe('ended by admin')
    if (done.rotated) {
      // The successor is known, and the old token still leads to it and to no other.
      const again = await sessions.refresh(c.refreshToken)
      expect(again).toMatchObject({ ok: true, refreshToken: done.rotated })
    }
    const { session } = (await sessions.verify(d.accessToken)) as { session: { data: { n: number } } }
    expect(session.data.n).toBeGreaterThanOrEqual(done.n)
    acknowledged.revoked += (done.revoked ? 1 : 0) + (done.all ? 1 : 0)
    acknowledged.rotated += done.rotated ? 1 : 0
    acknowledged.updated = done.n
  }
  // A loop in which nothing was acknowledged would prove nothing.
  expect(Math.min(acknowledged.revoked, acknowledged.rotated, acknowledged.updated)).toBeGreaterThan(0)
}, 600_000)

describe('everysec', () => {
  /** The bytes that a power failure leaves of a file that is synced once a second: those of the last sync. */
  function powerFailure(server: RedisServer) {
    const folder = join(server.dir, 'appendonlydir')
    const file = join(folder, readdirSync(folder).find((name) => name.endsWith('.incr.aof'))!)
    const { size } = statSync(file)
    return async () => {
      await server.kill()
      expect(statSync(file).size).toBeGreaterThan(size)
      truncateSync(file, size)
      await server.restart()
    }
  }

  test.each([
    ['with the journal it is done again', true],
    ['without it the sessions are back', false],
  ])('what a power failure loses was said to be local; %s', async (_what, isHeld) => {
    const server = await startRedis({ appendonly: true, appendfsync: 'everysec' })
    later(() => server.stop())
    const store = redisStore({ url: server.url })
    const { sessions, login, seen } = openSessions(isHeld ? store : withoutJournal(store))
    await sessions.ready()
    const [a, b] = [await login('a'), await login('b')]
    // What is about the logins has been written and synced by now: once a second, and half of one later for sure.
    await sleep(2_500)
    const strike = powerFailure(server)
    expect(await sessions.revoke(a.id, { reason: 'logout' })).toMatchObject({ ended: 1, durability: 'local' })
    expect(await sessions.revokeAll('b', { reason: 'admin', block: true })).toMatchObject({ durability: 'local' })
    await strike()
    await until(() => sessions.health().up)
    if (isHeld) {
      await until(() => seen('journal_reapplied').length > 0)
      expect(seen('journal_reapplied')).toEqual([expect.objectContaining({ subjects: 2, lost: 2, ended: 2 })])
      expect(await verdict(sessions, a.accessToken)).toBe('ended by logout')
      expect(await verdict(sessions, b.accessToken)).toBe('ended by admin')
      expect(await sessions.issue({ subject: 'b', data: { n: 0 } })).toMatchObject({ reason: 'blocked' })
    } else {
      expect(await verdict(sessions, a.accessToken)).toBe('accepted')
      expect(await verdict(sessions, b.accessToken)).toBe('accepted')
    }
  })
})

test('a server that keeps nothing at all comes back empty: nobody is let in, and a block is there again', async () => {
  const server = await startRedis()
  later(() => server.stop())
  const { sessions, login, seen } = await onRedis(server.url)
  const [a, b] = [await login('a'), await login('b')]
  await sessions.revokeAll('b', { reason: 'banned', block: true })
  await server.kill()
  await server.restart()
  await until(() => seen('journal_reapplied').length > 0)
  expect(await verdict(sessions, a.accessToken)).toBe('unknown')
  expect(await verdict(sessions, b.accessToken)).toBe('ended by banned')
  expect(await sessions.issue({ subject: 'b', data: { n: 0 } })).toMatchObject({ reason: 'blocked' })
})
