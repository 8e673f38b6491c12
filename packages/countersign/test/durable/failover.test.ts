/** Rows D1 and D2 of the fault matrix, and the rules of the journal: what a failover loses is done again. */

import { systemRuntime } from 'countersign'
import { samples } from 'countersign/conformance'
import { redisStore } from 'countersign/stores/redis'
import { createClient } from 'redis'
import { afterEach, describe, expect, test } from 'vitest'
import { type ReplicatedRedis, startReplicated } from '../../../../tools/test-support/redis-replicas.ts'
import { startRedis } from '../../../../tools/test-support/redis-server.ts'
import { ask } from '../../../../tools/test-support/resp.ts'
import { cleanUpAll, later, onRedis, openSessions, sleep, until, verdict, withoutJournal } from './kit.ts'

afterEach(cleanUpAll)

/** A WAIT for a replica that is cut off ends here. */
const SHORT = { durable: { within: '0.2s' } } as const

async function replicated(count: number) {
  const redis = await startReplicated(count)
  later(() => redis.stop())
  return redis
}

/** The primary dies, and a replica that lacks its last writes takes over. */
async function failOver(redis: ReplicatedRedis, to = redis.replicas[0]!) {
  await redis.primary.kill()
  await redis.promote(to)
}

async function raw(url: string) {
  const client = createClient({ url })
  client.on('error', () => {})
  await client.connect()
  later(() => client.destroy())
  return client
}

test('D1: acknowledged as replicated by all, the primary cut off and killed, a replica promoted: never alive again', async () => {
  const redis = await replicated(2)
  const { store, sessions, login } = await onRedis(redis.url, { durable: { within: '10s' } })
  const [a, b, other] = [await login('a'), await login('b'), await login('c')]
  await redis.inSync()
  expect(await sessions.revoke(a.id, { reason: 'logout' })).toMatchObject({ durability: 'replicated', replicas: 2 })
  expect(await sessions.revokeAll('b', { reason: 'banned', block: true })).toMatchObject({ durability: 'replicated' })
  for (const { link } of redis.replicas) link.pause()
  await failOver(redis)
  // Without any journal: a process that knows nothing of the revocations.
  const fresh = openSessions(withoutJournal(redisStore({ url: redis.url })))
  await fresh.sessions.ready()
  expect(await verdict(fresh.sessions, a.accessToken)).toBe('ended by logout')
  expect(await verdict(fresh.sessions, b.accessToken)).toBe('ended by banned')
  expect(await fresh.sessions.issue({ subject: 'b', data: { n: 0 } })).toMatchObject({ reason: 'blocked' })
  expect(await verdict(fresh.sessions, other.accessToken)).toBe('accepted')
  await until(() => store.lifecycle.health().up)
  expect(await verdict(sessions, a.accessToken)).toBe('ended by logout')
})

test('D1: with one of two, and the other one promoted, the journal does it again and says so', async () => {
  const redis = await replicated(2)
  const { sessions, login, seen } = await onRedis(redis.url, { durable: { within: '2s' } })
  const { id, accessToken } = await login('a')
  await redis.inSync()
  redis.replicas[1]!.link.pause()
  expect(await sessions.revoke(id, { reason: 'logout' })).toMatchObject({ durability: 'local', replicas: 1 })
  await failOver(redis, redis.replicas[1]!)
  await until(() => seen('journal_reapplied').length > 0)
  expect(seen('journal_reapplied')).toEqual([expect.objectContaining({ subjects: 1, lost: 1, ended: 1 })])
  expect(await verdict(sessions, accessToken)).toBe('ended by logout')
})

describe('D2: acknowledged as local, lost by the failover', () => {
  /** A revocation of every kind that the replica does not get. */
  async function lose(redis: ReplicatedRedis, opened: Awaited<ReturnType<typeof onRedis>>) {
    const { sessions, login } = opened
    const logins = {
      one: await login('one'),
      all: await login('all'),
      banned: await login('banned'),
      demoted: await login('demoted', ['user', 'admin']),
      untouched: await login('untouched'),
    }
    await redis.inSync()
    for (const { link } of redis.replicas) link.pause()
    const answers = [
      await sessions.revoke(logins.one.id, { reason: 'logout' }),
      await sessions.revokeAll('all', { reason: 'password_changed' }),
      await sessions.revokeAll('banned', { reason: 'banned', block: true }),
      await sessions.setRoles('demoted', ['user']),
    ]
    for (const answer of answers) expect(answer).toMatchObject({ ended: 1, durability: 'local', replicas: 0 })
    return logins
  }

  test('is done again within a second of seeing the new primary', async () => {
    const redis = await replicated(1)
    const opened = await onRedis(redis.url, SHORT)
    const { store, sessions, seen } = opened
    const lost = await lose(redis, opened)
    const before = store.sessions.failovers!.incarnationOf(null)
    await failOver(redis)
    const newPrimary = await until(() => {
      const now = store.sessions.failovers!.incarnationOf(null)
      return now === undefined || now === before ? undefined : Date.now()
    })
    await until(() => seen('journal_reapplied').length > 0)
    // A second of a machine that is not busy with other things; the events say what it took.
    expect(Date.now() - newPrimary).toBeLessThan(10_000)
    expect(seen('journal_reapplied')).toEqual([expect.objectContaining({ subjects: 4, lost: 4, ended: 3 })])

    expect(await verdict(sessions, lost.one.accessToken)).toBe('ended by logout')
    expect(await verdict(sessions, lost.all.accessToken)).toBe('ended by password_changed')
    expect(await verdict(sessions, lost.banned.accessToken)).toBe('ended by banned')
    expect(await sessions.issue({ subject: 'banned', data: { n: 0 } })).toMatchObject({ reason: 'blocked' })
    expect(await sessions.verify(lost.demoted.accessToken)).toMatchObject({ ok: true, session: { roles: ['user'] } })
    expect(await verdict(sessions, lost.untouched.accessToken)).toBe('accepted')
  })

  test('and comes back to life when nothing is held: what the test above shows is the journal', async () => {
    const redis = await replicated(1)
    const opened = openSessions(withoutJournal(redisStore({ url: redis.url, ...SHORT })))
    await opened.sessions.ready()
    const lost = await lose(redis, opened as never)
    await failOver(redis)
    for (const name of ['one', 'all', 'banned'] as const) {
      expect(await until(async () => (await verdict(opened.sessions, lost[name].accessToken)) === 'accepted')).toBe(
        true,
      )
    }
    const checked = await opened.sessions.verify(lost.demoted.accessToken)
    expect(checked).toMatchObject({ ok: true, session: { roles: ['user', 'admin'] } })
    expect(opened.seen('journal_reapplied')).toEqual([])
  })
})

test('a failover that breaks no connection is seen as well', async () => {
  const redis = await replicated(1)
  const { sessions, login, seen } = await onRedis(redis.primary.url, SHORT)
  const { id, accessToken } = await login('u')
  await redis.inSync()
  redis.replicas[0]!.link.pause()
  await sessions.revoke(id, { reason: 'logout' })
  // The server takes over the data of one that lacks the revocation, without leaving its clients.
  const behind = redis.replicas[0]!.server
  await ask(behind.port, [['REPLICAOF', 'NO', 'ONE']])
  const client = await raw(redis.primary.url)
  const clients = String(await client.sendCommand(['CLIENT', 'LIST']))
  await client.sendCommand(['REPLICAOF', '127.0.0.1', String(behind.port)])
  await until(async () => String(await client.sendCommand(['INFO', 'replication'])).includes('master_link_status:up'))
  await client.sendCommand(['REPLICAOF', 'NO', 'ONE'])
  await until(() => seen('journal_reapplied').length > 0)
  expect(await verdict(sessions, accessToken)).toBe('ended by logout')
  // Nobody had to connect again.
  const ids = (list: string) =>
    [...list.matchAll(/^id=(\d+) .* lib-name=|^id=(\d+) /gm)].map((match) => match[1] ?? match[2])
  expect(ids(String(await client.sendCommand(['CLIENT', 'LIST'])))).toEqual(expect.arrayContaining([ids(clients)[0]]))
})

test('what was opened since lives on, and what was set since is not set back', async () => {
  const redis = await replicated(1)
  const { store, sessions, login, seen } = await onRedis(redis.url, SHORT)
  const old = { all: await login('all'), roles: await login('roles', ['user', 'admin']), ban: await login('ban') }
  await redis.inSync()
  redis.replicas[0]!.link.pause()
  await sessions.revokeAll('all', { reason: 'password_changed' })
  await sessions.setRoles('roles', ['user'])
  await sessions.revokeAll('ban', { reason: 'banned', block: true })
  // Somebody else is quicker at the new primary than this process.
  await redis.promote(redis.replicas[0]!)
  const others = openSessions(redisStore({ url: redis.replicas[0]!.server.url }))
  await others.sessions.ready()
  const fresh = await others.login('all')
  const before = await others.sessions.epoch('all')
  await others.sessions.setRoles('roles', ['user', 'admin'])
  await others.sessions.revokeAll('ban', { reason: 'unbanned', block: false })
  const pardoned = await others.login('ban')

  await redis.primary.kill()
  await until(() => seen('journal_reapplied').length > 0)
  await until(() => store.lifecycle.health().up)
  expect(await verdict(sessions, old.all.accessToken)).toBe('ended by password_changed')
  expect(await verdict(sessions, fresh.accessToken)).toBe('accepted')
  expect(await sessions.verify(old.roles.accessToken)).toMatchObject({ session: { roles: ['user', 'admin'] } })
  expect(await verdict(sessions, pardoned.accessToken)).toBe('accepted')
  expect((await sessions.issue({ subject: 'ban', data: { n: 0 } })).ok).toBe(true)
  // A login that began before it was done again may have read an account that had forgotten the same.
  const held = await others.sessions.issue({ subject: 'all', data: { n: 0 }, ifEpoch: before })
  expect(held).toMatchObject({ ok: false, reason: 'stale_epoch' })
  // Again, and from another process: nothing happens that has happened.
  expect(seen('journal_reapplied')).toEqual([expect.objectContaining({ subjects: 3, ended: 1 })])
})

test('sessions that others had ended are done again with the subject', async () => {
  const redis = await replicated(1)
  const gone = await onRedis(redis.url, SHORT)
  const stays = await onRedis(redis.url, SHORT)
  const [first, second] = [await gone.login('u'), await gone.login('u')]
  const stepped = await gone.login('u')
  await redis.inSync()
  redis.replicas[0]!.link.pause()
  await gone.sessions.revoke(first.id, { reason: 'logout' })
  const up = await gone.sessions.stepUp(stepped.id, { acr: 'aal2', amr: [] })
  if (!up.ok) throw new Error(up.reason)
  await stays.sessions.revokeAll('u', { reason: 'admin' })
  // The process that ended the first one, and replaced the third, takes what it held with it.
  await gone.sessions.close()
  await failOver(redis)
  await until(() => stays.seen('journal_reapplied').length > 0)
  expect(await verdict(stays.sessions, first.accessToken)).toBe('rolled_back by rolled_back')
  expect(await verdict(stays.sessions, second.accessToken)).toBe('ended by admin')
  expect(await verdict(stays.sessions, stepped.accessToken)).toBe('rolled_back by rolled_back')
  expect((await verdict(stays.sessions, up.accessToken)).startsWith('ended')).toBe(true)
})

test('what ended by a step-up, by reuse or by the limit is done again, too', async () => {
  const redis = await replicated(1)
  const { sessions, login, seen } = await onRedis(redis.url, SHORT)
  const [old, stolen] = [await login('stepped'), await login('stolen')]
  const oldest = await login('many')
  // Of two of one millisecond, which is the oldest is left to chance.
  await sleep(5)
  for (let n = 1; n < 100; n++) await login('many')
  await sleep(1_100)
  const first = await sessions.refresh(stolen.refreshToken)
  if (!first.ok) throw new Error(first.reason)
  await sessions.verify(first.accessToken)
  await sleep(1_100)
  await redis.inSync()
  redis.replicas[0]!.link.pause()
  const up = await sessions.stepUp(old.id, { acr: 'aal2', amr: ['otp'] })
  if (!up.ok) throw new Error(up.reason)
  expect(await sessions.refresh(stolen.refreshToken)).toMatchObject({ reason: 'reused' })
  await login('many')
  // The id that took over is not on the new primary, and neither is its end; the old one is.
  expect(await sessions.revoke(old.id, { reason: 'logout' })).toMatchObject({ ended: 1 })
  await failOver(redis)
  // Subject by subject.
  await until(() => seen('journal_reapplied').length > 0)
  const inTheEnd = (token: string) => expect.poll(() => verdict(sessions, token), { timeout: 20_000 })
  await inTheEnd(up.accessToken).toBe('ended by logout')
  await inTheEnd(first.accessToken).toBe('reused by reused')
  await inTheEnd(oldest.accessToken).toBe('ended by limit')
  expect((await sessions.verify(old.accessToken)).ok).toBe(false)
})

test('denylist: tokens that were made from what the new primary had forgotten are refused, and a new login is not', async () => {
  const redis = await replicated(1)
  const mine = await onRedis(redis.url, SHORT, { strategy: 'denylist' })
  const demoted = await mine.login('demoted', ['user', 'admin'])
  const ended = await mine.login('ended')
  const token = await mine.login('token')
  await redis.inSync()
  redis.replicas[0]!.link.pause()
  // Opened and ended, and the new primary has heard of neither.
  const unheard = await mine.login('ended')
  await mine.sessions.revoke(unheard.id, { reason: 'logout' })
  await mine.sessions.revoke(ended.id, { reason: 'logout' })
  await mine.sessions.setRoles('demoted', ['user'])
  const { jti } = JSON.parse(Buffer.from(token.accessToken.split('.')[1]!, 'base64url').toString()) as { jti: string }
  await mine.sessions.revoke(token.id, { reason: 'admin', jti })

  await redis.promote(redis.replicas[0]!)
  const others = openSessions(redisStore({ url: redis.replicas[0]!.server.url }), { strategy: 'denylist' })
  await others.sessions.ready()
  await sleep(1_100)
  // From the record that still has the role: a token with a stamp above everything that the journal knows.
  const revived = await others.sessions.refresh(demoted.refreshToken)
  if (!revived.ok) throw new Error(revived.reason)
  const fresh = await others.login('ended')
  await redis.primary.kill()
  await until(() => mine.seen('journal_reapplied').length > 0)

  expect(await verdict(mine.sessions, ended.accessToken)).toBe('ended by logout')
  expect(await verdict(mine.sessions, unheard.accessToken)).toBe('ended by logout')
  expect(await verdict(mine.sessions, token.accessToken)).toBe('ended')
  expect(await verdict(mine.sessions, revived.accessToken)).toBe('superseded')
  // Superseded is mended by a refresh; the session lives, with the roles that are left.
  const next = await mine.sessions.refresh(revived.refreshToken)
  expect(next).toMatchObject({ ok: true, session: { roles: ['user'] } })
  const again = await mine.sessions.refresh(fresh.refreshToken)
  if (!again.ok) throw new Error(again.reason)
  expect(await verdict(mine.sessions, again.accessToken)).toBe('accepted')
})

test('what was forgotten because others have ended since is not taken for lost', async () => {
  const redis = await replicated(1)
  const [mine, theirs] = [await onRedis(redis.url, SHORT), await onRedis(redis.url, SHORT)]
  const end = async (count: number) => {
    const ids = []
    for (let n = 0; n < count; n++) {
      const { id } = await theirs.login('u')
      await theirs.sessions.revoke(id, { reason: 'logout' })
      ids.push(id)
    }
    return ids
  }
  const old = await end(5)
  // Now this process knows of them, and not why they ended.
  await mine.sessions.revokeAll('u', { reason: 'admin' })
  // As many as are remembered.
  const young = await end(64)
  await theirs.sessions.close()
  await redis.inSync()
  await failOver(redis)
  await until(() => mine.seen('journal_reapplied').length > 0)
  expect(mine.seen('journal_reapplied')).toEqual([expect.objectContaining({ subjects: 1, lost: 0, ended: 0 })])
  for (const id of old) expect(await mine.sessions.get(id)).toMatchObject({ ok: false, reason: 'unknown' })
  for (const id of young) expect(await mine.sessions.get(id)).toMatchObject({ ok: false, endedBy: 'logout' })
})

test('the floor is raised again', async () => {
  const redis = await replicated(1)
  const { sessions, login, seen } = await onRedis(redis.url, SHORT)
  const { accessToken } = await login('u')
  await redis.inSync()
  redis.replicas[0]!.link.pause()
  await sessions.revokeEveryone({ reason: 'incident' })
  await failOver(redis)
  await until(() => seen('journal_reapplied').length > 0)
  const fresh = openSessions(withoutJournal(redisStore({ url: redis.url })))
  await fresh.sessions.ready()
  expect(await verdict(fresh.sessions, accessToken)).toBe('ended by incident')
})

test('a login that spans the failover is stale, and one that begins after it is not', async () => {
  const redis = await replicated(1)
  const { sessions, login } = await onRedis(redis.url, SHORT)
  await login('u')
  await redis.inSync()
  const epoch = await sessions.epoch('u')
  expect(await sessions.epoch('u')).toBe(epoch)
  redis.replicas[0]!.link.pause()
  // Moves the epoch, and the new primary does not know: the very number is good there.
  await sessions.revokeAll('u', { reason: 'banned' })
  await sessions.close()
  await failOver(redis)
  const other = await onRedis(redis.url)
  expect(await other.sessions.issue({ subject: 'u', data: { n: 0 }, ifEpoch: epoch })).toMatchObject({
    ok: false,
    reason: 'stale_epoch',
  })
  const now = await other.sessions.epoch('u')
  expect(now).not.toBe(epoch)
  expect((await other.sessions.issue({ subject: 'u', data: { n: 0 }, ifEpoch: now })).ok).toBe(true)
})

test('a restart with nothing lost is seen, and changes nothing', async () => {
  const server = await startRedis({ appendonly: true, appendfsync: 'always' })
  later(() => server.stop())
  const { sessions, login, seen } = await onRedis(server.url)
  const { id, accessToken } = await login('u')
  const other = await login('u')
  await sessions.revoke(id, { reason: 'logout' })
  await server.restart()
  await until(() => seen('journal_reapplied').length > 0)
  expect(seen('journal_reapplied')).toEqual([expect.objectContaining({ subjects: 1, lost: 0, ended: 0 })])
  expect(await verdict(sessions, accessToken)).toBe('ended by logout')
  expect(await verdict(sessions, other.accessToken)).toBe('accepted')
})

describe('a refresh token that is older than it may be', () => {
  /** Two rotations, both used; in the end the first token of all is as old as a token of a thief. */
  async function rotatedTwice({ sessions, login }: Awaited<ReturnType<typeof onRedis>>, subjects: readonly string[]) {
    const first = await Promise.all(subjects.map(async (subject) => (await login(subject)).refreshToken))
    let newest = first
    for (let n = 0; n < 2; n++) {
      // Longer than the grace.
      await sleep(1_100)
      newest = await Promise.all(
        newest.map(async (token) => {
          const next = await sessions.refresh(token)
          if (!next.ok || next.rotation !== 'rotated') throw new Error(JSON.stringify(next))
          return next.refreshToken
        }),
      )
    }
    return first
  }

  test('is theft, and right after the primary has changed it is what that one has forgotten', async () => {
    const redis = await replicated(1)
    let aheadMs = 0
    const clock = { ...systemRuntime.clock, monotonicMs: () => systemRuntime.clock.monotonicMs() + aheadMs }
    const opened = await onRedis(redis.url, { ...SHORT, runtime: { ...systemRuntime, clock } })
    const { store, sessions, seen } = opened
    const [before, right, later] = (await rotatedTwice(opened, ['before', 'right', 'later'])) as [any, any, any]
    expect(await sessions.refresh(before)).toMatchObject({ ok: false, reason: 'reused' })
    expect(seen('refresh_reused')).toHaveLength(1)

    await redis.inSync()
    const old = store.sessions.failovers!.incarnationOf(null)
    await failOver(redis)
    await until(async () => (await verdict(sessions, 'x')) === 'malformed' && store.lifecycle.health().up)
    await until(() => {
      const now = store.sessions.failovers!.incarnationOf(null)
      return now !== undefined && now !== old
    })
    expect(await sessions.refresh(right)).toMatchObject({ ok: false, reason: 'rolled_back', remedy: 'sign_in' })
    expect(seen('store_rollback')).toHaveLength(1)
    expect(seen('refresh_reused')).toHaveLength(1)
    // Also for whoever knows nothing of the failover.
    const fresh = await onRedis(redis.url)
    expect(await fresh.sessions.refresh(right)).toMatchObject({ ok: false, reason: 'rolled_back' })

    // Longer than access tokens live: whoever was honest has asked.
    aheadMs = 11 * 60_000
    await until(async () => (await sessions.refresh(later).catch(() => undefined)) !== undefined)
    expect(await sessions.refresh(later)).toMatchObject({ ok: false, reason: 'reused' })
    expect(seen('refresh_reused')).toHaveLength(2)
  })

  test('is judged by who runs the step, not by whom the caller saw last', async () => {
    const server = await startRedis({ appendonly: true, appendfsync: 'always' })
    later(() => server.stop())
    const opened = await onRedis(server.url)
    const { store } = opened
    const now = store.sessions.failovers!.incarnationOf(null)!
    for (const [trusts, is] of [
      [now, 'reused'],
      [undefined, 'reused'],
      [null, 'rolled_back'],
      ['0123456789abcdef', 'rolled_back'],
    ] as const) {
      const record = samples.recordOf(samples.subjectRef())
      const { T, presented, rotationRule, successorOf } = samples
      await store.sessions.create({ ...record, generation: 5 }, samples.createRule, T)
      const rule = { ...rotationRule, ...(trusts !== undefined && { trusts }) }
      const done = await store.sessions.rotate(record.id, presented(3), successorOf(3), rule, T)
      expect([trusts, done]).toMatchObject([trusts, { is }])
      expect(await store.sessions.read(record.id)).toMatchObject({ is: 'ended', tombstone: { why: is } })
    }
  })
})
