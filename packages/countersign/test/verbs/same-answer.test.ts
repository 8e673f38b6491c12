// Near cache off, on Redis: the store is asked each time, and an answer of the same bytes is not decoded again.
import { allowlist, createSessions, generateKeyring, type Keyring, loadKeyring, opaque } from 'countersign'
import { redisStore } from 'countersign/stores/redis'
import { type TestClock, testClock } from 'countersign/testing'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { type RedisServer, startRedis } from '../../../../tools/test-support/redis-server.ts'
import { ask } from '../../../../tools/test-support/resp.ts'

const STRATEGIES = { opaque: opaque(), allowlist: allowlist({ issuer: 'https://a.test', audience: 'https://b.test' }) }

let keyring: Keyring
let redis: RedisServer
/** So many have logged in: all tests share one server. */
let people = 0
beforeAll(async () => {
  keyring = await loadKeyring(generateKeyring())
  redis = await startRedis()
})
afterAll(() => redis.stop())

describe.each(['opaque', 'allowlist'] as const)('%s', (name) => {
  const redisAt = () => redisStore({ url: redis.url, prefix: name })
  const open = (clock?: TestClock) =>
    createSessions({
      ...(clock && { runtime: clock.runtime }),
      strategy: STRATEGIES[name] as ReturnType<typeof allowlist<true>>,
      keyring,
      store: clock ? clock.on(redisAt()) : redisAt(),
      timeouts: { absolute: '1d', idle: '1h' },
      data: z.object({ n: z.number() }),
      nearCache: false,
    })

  /** Checked so often that what follows is answered from what was kept. */
  async function known(clock?: TestClock) {
    const [here, elsewhere] = [open(clock), open()]
    const issued = await here.issue({ subject: `user:${++people}`, roles: ['admin'], data: { n: 1 } })
    if (!issued.ok) throw new Error(issued.reason)
    const verify = () => here.verify(issued.accessToken)
    const answers = [await verify(), await verify(), await verify()] as const
    const close = () => Promise.all([here.close(), elsewhere.close()])
    return { verify, elsewhere, answers, close, id: issued.session.sessionId, subject: issued.session.subject }
  }

  test('the same answer is the same frozen session, and the store is asked for each', async () => {
    const { verify, answers, close } = await known()
    const [, second, third] = answers
    if (!second.ok || !third.ok) throw new Error('refused')
    expect(third.session).toBe(second.session)
    expect(Object.isFrozen(third.session)).toBe(true)
    const gets = async () =>
      Number(/cmdstat_get:calls=(\d+)/.exec(await ask(redis.port, [['INFO', 'commandstats']]))?.[1])
    const before = await gets()
    await verify()
    await verify()
    expect((await gets()) - before).toBe(2)
    await close()
  })

  test('data changed elsewhere is there at once', async () => {
    const { verify, elsewhere, id, close } = await known()
    for (const n of [2, 3]) {
      await elsewhere.update(id, () => ({ n }))
      expect(await verify()).toMatchObject({ ok: true, session: { data: { n } } })
      expect(await verify()).toMatchObject({ ok: true, session: { data: { n } } })
    }
    await close()
  })

  test.each([
    ['ended', ({ elsewhere, id }) => elsewhere.revoke(id, { reason: 'logout' })],
    ['ended', ({ elsewhere, subject }) => elsewhere.revokeAll(subject, { reason: 'ban' })],
    ['unknown', ({ id }) => ask(redis.port, [['DEL', `${name}:{${id.slice(0, 12)}}:s:${id}`]])],
  ] as const satisfies [string, (one: Awaited<ReturnType<typeof known>>) => Promise<unknown>][])(
    'is refused as %s once it has gone: %s',
    async (reason, end) => {
      const one = await known()
      await end(one)
      expect(await one.verify()).toMatchObject({ ok: false, reason })
      expect(await one.verify()).toMatchObject({ ok: false, reason })
      await one.close()
    },
  )

  test('is refused when everybody is logged out, though its record is the same', async () => {
    const { verify, elsewhere, close } = await known()
    await elsewhere.revokeEveryone({ reason: 'compromise' })
    await expect.poll(async () => (await verify()).ok, { timeout: 5_000 }).toBe(false)
    await close()
  })

  test.each([
    ['2h', 'expired_idle'],
    ['1d', 'expired_absolute'],
  ] as const)('is refused after %s, though its record is the same', async (after, reason) => {
    const clock = testClock()
    const { verify, close } = await known(clock)
    clock.advance(after)
    // The record is still there: for the clock of Redis no time has passed. A signed token knows its own end.
    expect(await verify()).toMatchObject({ ok: false, reason: name === 'opaque' ? reason : 'expired' })
    await close()
  })

  test('two checks at once, with a change in between, tell of what each of them found', async () => {
    const { verify, elsewhere, id, close } = await known()
    for (let n = 10; n < 40; n++) {
      const racing = [verify(), verify(), elsewhere.update(id, () => ({ n })), verify(), verify()]
      await Promise.all(racing)
      expect(await verify()).toMatchObject({ ok: true, session: { data: { n } } })
    }
    await close()
  })
})
