// An outage of a real Redis, as two processes see it: who is served, for how long, and how it ends.
import { redisStore } from 'countersign/stores/redis'
import { afterEach, describe, expect, test } from 'vitest'
import { startRedis } from '../../../../tools/test-support/redis-server.ts'
import { startRespProxy } from '../../../../tools/test-support/resp-proxy.ts'
import { ask, cleanUpAll, later, login, open, until, WITHIN } from './kit.ts'

afterEach(cleanUpAll)

async function setUp(nearCache?: false) {
  const redis = await startRedis({ appendonly: true, appendfsync: 'always', policy: 'noeviction' })
  later(() => redis.stop())
  const proxy = await startRespProxy({ target: redis.url })
  later(() => proxy.stop())
  const { sessions: here, events } = open(redisStore({ url: proxy.url, deadline: '1s' }), nearCache)
  const { sessions: there } = open(redisStore({ url: redis.url }), nearCache)
  return { redis, proxy, here, there, events }
}

const outages = {
  paused: ({ proxy }: Awaited<ReturnType<typeof setUp>>) => ({
    begin: async () => proxy.pause(),
    end: async () => proxy.resume(),
  }),
  killed: ({ redis }: Awaited<ReturnType<typeof setUp>>) => ({
    begin: () => redis.kill('SIGKILL'),
    end: () => redis.restart(),
  }),
  stopped: ({ redis }: Awaited<ReturnType<typeof setUp>>) => ({
    begin: () => redis.kill('SIGSTOP'),
    end: () => redis.kill('SIGCONT'),
  }),
}

describe.each([
  ['with the near cache', undefined],
  ['without the near cache', false],
] as const)('%s', (_what, nearCache) => {
  test.each(Object.keys(outages) as (keyof typeof outages)[])('a server that is %s', async (how) => {
    const kit = await setUp(nearCache)
    const { here, there, events } = kit
    const [anna, berta, carla] = [await login(there), await login(there, 'berta'), await login(there, 'carla')]
    const tokens = { anna: anna.accessToken, berta: berta.accessToken, carla: carla.accessToken }
    // Twice: the first check makes this process remember, and opens the tracked line.
    for (let n = 0; n < 2; n++) {
      for (const token of [tokens.anna, tokens.berta]) {
        await until(async () => (await ask(here, token)).said, 'ok')
      }
    }
    const { begin, end } = outages[how](kit)
    await begin()
    // The near cache may go on for its second.
    await until(async () => (await ask(here, tokens.anna)).said, 'degraded')
    await until(async () => (await ask(here, tokens.berta)).said, 'degraded')
    for (let n = 0; n < 20; n++) {
      const { said, tookMs } = await ask(here, tokens.anna)
      expect(said).toBe('degraded')
      expect(tookMs).toBeLessThan(10_000)
      expect((await ask(here, tokens.anna, { ...WITHIN, roles: ['user'] })).said).toMatch(/^ERR_STORE_/)
      expect((await ask(here, tokens.anna, {})).said).toMatch(/^ERR_STORE_/)
      expect((await ask(here, tokens.carla)).said).toMatch(/^ERR_STORE_/)
    }
    // What this process itself is told to end ends for it, although the store does not know.
    expect(await here.revoke(berta.session.sessionId, { reason: 'logout' })).toMatchObject({ durability: 'queued' })
    expect((await ask(here, tokens.berta)).said).not.toBe('degraded')
    await end()
    await until(async () => (await ask(here, tokens.anna)).said, 'ok')
    await until(async () => here.health().queued, 0)
    await until(async () => (await ask(there, tokens.berta)).said, 'ended')
    expect((await ask(here, tokens.berta)).said).toBe('ended')
    expect((await ask(here, tokens.carla)).said).toBe('ok')
    const served = events.flatMap((event) => (event.type === 'served_degraded' ? [event.subject] : []))
    expect(new Set(served)).toEqual(new Set(['anna', 'berta']))
    expect(served.length).toBeLessThan(10)
    await until(async () => here.health().outage.breaker.state, 'closed')
  })

  test('a revocation by another process is heeded when it was told before the outage', async () => {
    const { here, there, proxy } = await setUp(nearCache)
    const [anna, berta] = [await login(there), await login(there, 'berta')]
    for (let n = 0; n < 3; n++) {
      for (const { accessToken } of [anna, berta]) await until(async () => (await ask(here, accessToken)).said, 'ok')
    }
    await there.revoke(anna.session.sessionId, { reason: 'logout' })
    // With the near cache it is pushed; without, somebody has to ask.
    if (nearCache === false) expect((await ask(here, anna.accessToken)).said).toBe('ended')
    else await until(async () => here.health().outage.remembered, 1)
    proxy.pause()
    await until(async () => (await ask(here, berta.accessToken)).said, 'degraded')
    expect((await ask(here, anna.accessToken)).said).toMatch(/^ERR_STORE_/)
    proxy.resume()
  })
})
