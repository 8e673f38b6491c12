/** Design §4: `denylist` refuses to start unless `noeviction` is proven or stated. Everything else starts, with a warning. */
import { allowlist, createSessions, denylist, generateKeyring, loadKeyring } from 'countersign'
import { redisStore } from 'countersign/stores/redis'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type RedisServer, startRedis } from '../../../../tools/test-support/redis-server.ts'
import { ask } from '../../../../tools/test-support/resp.ts'

const JWT = { issuer: 'i', audience: 'a' }
const open = async (url: string, strategy: typeof allowlist | typeof denylist, noEviction?: boolean) =>
  createSessions({
    strategy: strategy(JWT) as ReturnType<typeof denylist<true>>,
    keyring: await loadKeyring(generateKeyring()),
    store: redisStore({ url, ...(noEviction !== undefined && { noEviction }) }),
    timeouts: { absolute: '1d' },
  })

describe('on a Redis that evicts', () => {
  let redis: RedisServer
  beforeAll(async () => {
    redis = await startRedis({ maxmemory: '64mb', policy: 'allkeys-lru' })
  })
  afterAll(() => redis?.stop())

  test('denylist does not start, and says what to set', async () => {
    const sessions = await open(redis.url, denylist)
    const refusal = { code: 'ERR_STORE_MISCONFIGURED', message: expect.stringContaining('noeviction') }
    await expect(sessions.ready()).rejects.toMatchObject(refusal)
    await expect(sessions.issue({ subject: 'u' })).rejects.toMatchObject(refusal)
    await sessions.close()
    await ask(redis.port, [['FLUSHALL']])
  })

  test('allowlist starts, and health says what is weaker', async () => {
    const sessions = await open(redis.url, allowlist)
    await sessions.ready()
    expect(sessions.health()).toMatchObject({ up: true, keepsAll: false })
    expect(sessions.health().warnings.join()).toContain('maxmemory-policy is allkeys-lru')
    await sessions.close()
    await ask(redis.port, [['FLUSHALL']])
  })

  test('the word of the operator is taken, and the warning stays', async () => {
    const sessions = await open(redis.url, denylist, true)
    await sessions.ready()
    expect((await sessions.issue({ subject: 'u' })).ok).toBe(true)
    expect(sessions.health().warnings.join()).toContain('maxmemory-policy is allkeys-lru')
    await sessions.close()
  })
})

test('on a Redis with noeviction, which is its default, denylist starts', async () => {
  const redis = await startRedis()
  const sessions = await open(redis.url, denylist)
  await sessions.ready()
  expect(sessions.health().keepsAll).toBe(true)
  await sessions.close()
  await redis.stop()
})
