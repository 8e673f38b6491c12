// What the Redis store does with content that it did not write: one typed fault, nothing lost, and ending still ends.

import { samples } from 'countersign/conformance'
import type { Store } from 'countersign/stores/contract'
import { redisStore } from 'countersign/stores/redis'
import { createClient } from 'redis'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type RedisServer, startRedis } from '../../../../tools/test-support/redis-server.ts'

const { createRule, endRule, HOUR, MINUTE, recordOf, refresh, subjectRef } = samples

const outcome = (call: Promise<unknown>) => call.then((value) => ({ value })).catch((error: unknown) => error)
const recordNow = (store: Store, ref = subjectRef()) => recordOf(ref, { createdAtMs: store.lifecycle.nowMs() })

describe('content that the store did not write', () => {
  let server: RedisServer
  let store: Store
  let raw: ReturnType<typeof createClient>
  beforeAll(async () => {
    server = await startRedis()
    store = redisStore({ url: server.url, deadline: '20s' })
    await store.lifecycle.ready('faults')
    raw = createClient({ url: server.url })
    await raw.connect()
  })
  afterAll(async () => {
    raw?.destroy()
    await store?.lifecycle.close()
    await server?.stop()
  })
  const corrupt = { code: 'ERR_STORE_CORRUPT', store: 'redis' }
  // The first character is taken for the number of a format.
  const unknown = { code: 'ERR_FORMAT_UNKNOWN', store: 'redis' }

  it.each<[string, object, (key: string) => Promise<unknown>]>([
    ['garbage', unknown, (key) => raw.set(key, 'canary', { KEEPTTL: true })],
    ['garbage behind our format', corrupt, (key) => raw.set(key, '\u0001canary', { KEEPTTL: true })],
    ['nothing', corrupt, (key) => raw.set(key, '', { KEEPTTL: true })],
    ['a record that is cut', corrupt, (key) => raw.setRange(key, 0, '').then(() => cut(key))],
    ['a record of another format', unknown, (key) => raw.setRange(key, 0, '\u0002')],
  ])('%s in place of a record is a typed fault for all but ending', async (what, fault, damage) => {
    const ref = subjectRef()
    const [bad, good] = [recordNow(store, ref), recordNow(store, ref)]
    const now = bad.createdAtMs
    for (const record of [bad, good]) await store.sessions.create(record, createRule, now)
    await damage(`cs:{${ref.tag}}:s:${bad.id}`)

    for (const call of [
      () => store.sessions.read(bad.id),
      () => store.sessions.update(bad.id, { data: '1' }, 1, now),
      () => store.sessions.touch(bad.id, { idleAtMs: now + HOUR }, now),
      () => refresh(store, bad.id, 0, now + MINUTE),
      () => store.sessions.replace(bad.id, recordNow(store, ref), { accessMs: 0, floorMs: 0 }, now),
      () => store.sessions.list(ref, null, { limit: 9, floorMs: 0 }, now),
      () => store.sessions.setRoles(ref, [], now),
    ]) {
      const error = (await outcome(call())) as Error
      expect(error).toMatchObject(fault)
      expect(error.message).not.toContain('canary')
      if (what === 'a record of another format')
        expect(error.message).toMatch(/has format 2\.0, .*; this one reads 1\.x/)
    }
    // Half of a change of roles is none.
    expect(await store.sessions.read(good.id)).toMatchObject({ record: { roles: ['user'] } })
    const ended = await store.sessions.endSubject(ref, 'banned', {}, now)
    expect([...ended.ids].sort()).toEqual([bad.id, good.id].sort())
    expect(await store.sessions.read(bad.id)).toMatchObject({ is: 'ended', tombstone: { why: 'banned' } })
  })

  async function cut(key: string) {
    const bytes = String(await raw.getRange(key, 0, 60))
    return raw.set(key, bytes, { KEEPTTL: true })
  }

  it('a record that cannot be read is ended by its id, and evicted by the limit', async () => {
    const ref = subjectRef()
    const [first, second] = [recordNow(store, ref), recordNow(store, ref)]
    const now = first.createdAtMs
    await store.sessions.create(first, createRule, now)
    await raw.set(`cs:{${ref.tag}}:s:${first.id}`, 'x', { KEEPTTL: true })
    const rule = { ...createRule, limit: { max: 1, overflow: 'evict_oldest' as const } }
    expect(await store.sessions.create(second, rule, now)).toMatchObject({ is: 'created', evicted: [first.id] })
    await raw.set(`cs:{${ref.tag}}:s:${second.id}`, 'x', { KEEPTTL: true })
    expect(await store.sessions.end(second.id, 'logout', endRule, now)).toMatchObject({ ids: [second.id] })
    expect(await store.sessions.read(second.id)).toMatchObject({ is: 'ended' })
  })

  it.each(['u', 'r', 's', 'a'])('another kind of value in a key :%s is a typed fault', async (kind) => {
    const ref = subjectRef()
    const record = { ...recordNow(store, ref), stamped: true }
    const now = record.createdAtMs
    const key = `cs:{${ref.tag}}:${kind}${kind === 's' ? `:${record.id}` : ''}`
    await raw.sAdd(key, 'x')
    const call = {
      u: () => store.sessions.endSubject(ref, 'admin', {}, now),
      r: () => store.revocations.read(ref.tag),
      s: () => store.sessions.read(record.id),
      a: () => store.accounts.bySubject(ref),
    }[kind]!
    expect(await outcome(call())).toMatchObject(corrupt)
  })

  it('a damaged gate or revocation record fails a call before it has written anything', async () => {
    const ref = subjectRef()
    const record = { ...recordNow(store, ref), stamped: true }
    const now = record.createdAtMs
    await store.sessions.create(record, createRule, now)
    await raw.hSet(`cs:{${ref.tag}}:r`, 'head', 'x')
    for (const call of [
      () => store.sessions.endSubject(ref, 'admin', {}, now),
      () => store.sessions.end(record.id, 'logout', endRule, now),
      () => store.sessions.setRoles(ref, [], now),
      () => refresh(store, record.id, 0, now + MINUTE),
      () => store.revocations.read(ref.tag),
    ]) {
      expect(await outcome(call())).toMatchObject(corrupt)
    }
    await raw.del(`cs:{${ref.tag}}:r`)
    await raw.hSet(`cs:{${ref.tag}}:u`, 'gate', 'x')
    expect(await outcome(store.sessions.endSubject(ref, 'admin', {}, now))).toMatchObject(corrupt)
    expect(await outcome(store.sessions.subject(ref, now))).toMatchObject(corrupt)
    expect(await store.sessions.read(record.id)).toMatchObject({ is: 'live', record: { roles: ['user'] } })
    await raw.hDel(`cs:{${ref.tag}}:u`, 'gate')
    await raw.hSet(`cs:{${ref.tag}}:u`, record.id.slice(12), 'x'.repeat(18))
    expect(await outcome(store.sessions.endSubject(ref, 'admin', {}, now))).toMatchObject(corrupt)
    expect(await store.sessions.read(record.id)).toMatchObject({ is: 'live' })
  })

  it('a damaged account or identifier is a typed fault', async () => {
    const ref = subjectRef()
    await raw.set(`cs:{${ref.tag}}:a`, 'canary')
    const account = {
      ...ref,
      identifier: 'a',
      version: 2,
      passwordHash: 'x',
      passwordChangedAtMs: 0,
      roles: [],
      blocked: null,
      createdAtMs: 0,
      unsettled: null,
    }
    expect(await outcome(store.accounts.bySubject(ref))).toMatchObject(unknown)
    expect(await outcome(store.accounts.replace(account, 1))).toMatchObject(unknown)
    await raw.set(`cs:{${ref.tag}}:a`, '\u0001canary')
    expect(await outcome(store.accounts.bySubject(ref))).toMatchObject(corrupt)
  })
})
