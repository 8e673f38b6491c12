/** Row D5 of the fault matrix: a Redis whose memory is full, under every eviction policy. */
import { CountersignError } from 'countersign'
import { createClient } from 'redis'
import { afterEach, describe, expect, test } from 'vitest'
import { startRedis } from '../../../../tools/test-support/redis-server.ts'
import { cleanUpAll, later, onRedis, verdict } from './kit.ts'

afterEach(cleanUpAll)

const POLICIES = [
  'noeviction',
  'volatile-lru',
  'volatile-lfu',
  'volatile-ttl',
  'volatile-random',
  'allkeys-lru',
  'allkeys-lfu',
  'allkeys-random',
] as const

async function full(policy: string) {
  const server = await startRedis({ policy })
  later(() => server.stop())
  const client = createClient({ url: server.url })
  await client.connect()
  later(() => client.destroy())
  const opened = await onRedis(server.url, { deadline: '10s' })
  const logins = []
  for (let n = 0; n < 30; n++) logins.push(await opened.login(`u${n % 10}`))
  const used = Number(/used_memory:(\d+)/.exec(String(await client.info('memory')))![1])
  return {
    ...opened,
    logins,
    client,
    /** Nothing more fits. Under a policy that evicts, something goes with each write instead. */
    fill: (more: number) => client.configSet('maxmemory', String(used + more)),
  }
}

describe.each(POLICIES)('D5: %s', (policy) => {
  test('with the memory full every revocation works, and no revoked token is good', async () => {
    const { sessions, logins, fill } = await full(policy)
    await fill(-20_000)
    for (const { id } of logins.slice(0, 10)) {
      expect(await sessions.revoke(id, { reason: 'logout' })).not.toMatchObject({ durability: 'queued' })
    }
    for (let n = 0; n < 5; n++) {
      expect(await sessions.revokeAll(`u${n}`, { reason: 'admin' })).not.toMatchObject({ durability: 'queued' })
      expect(await sessions.setRoles(`u${n + 5}`, [])).not.toMatchObject({ durability: 'queued' })
    }
    expect(sessions.health()).toMatchObject({ queued: 0 })
    for (const [n, { accessToken, refreshToken }] of logins.entries()) {
      const isRevoked = n < 10
      // A subject whose index was evicted is not seen by `revokeAll`: of that the start check warns.
      if (isRevoked || (policy === 'noeviction' && n % 10 < 5)) {
        expect(await verdict(sessions, accessToken)).toMatch(/^(ended by (logout|admin)|unknown)$/)
        expect((await sessions.refresh(refreshToken)).ok).toBe(false)
      }
    }
    const warned = sessions.health().warnings.some((warning) => warning.startsWith('maxmemory-policy'))
    expect(warned).toBe(policy !== 'noeviction')
  })
})

test('D5: with nothing to evict a login fails, says why, and is no refusal', async () => {
  const { sessions, logins, fill } = await full('noeviction')
  await fill(-20_000)
  const fault = await sessions.issue({ subject: 'new', data: { n: 0 } }).catch((error: unknown) => error)
  expect(fault).toBeInstanceOf(CountersignError)
  expect(fault).toMatchObject({
    code: 'ERR_STORE_UNAVAILABLE',
    retryable: true,
    message: 'Redis: the memory of the server is full (OOM)',
  })
  // Who is logged in stays so, and comes to a refresh.
  expect(await verdict(sessions, logins[0]!.accessToken)).toBe('accepted')
  expect((await sessions.refresh(logins[0]!.refreshToken)).ok).toBe(true)
  await fill(1_000_000)
  expect((await sessions.issue({ subject: 'new', data: { n: 0 } })).ok).toBe(true)
})
