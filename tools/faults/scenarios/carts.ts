import { setTimeout as sleep } from 'node:timers/promises'
import { generateKeyring, loadKeyring } from 'countersign'
import { samples } from 'countersign/conformance'
import { redisStore } from 'countersign/stores/redis'
import { startRedis } from '../../test-support/redis-server.ts'
import { startRespProxy } from '../../test-support/resp-proxy.ts'
import { check } from '../check.ts'
import { Node, numbered, openSessions } from '../clients.ts'
import { History } from '../history.ts'
import { type Context, demand, type Row, scenario, tests } from '../scenario.ts'

async function behindProxy({ cleanUp }: Context) {
  const redis = await startRedis({ appendonly: true, appendfsync: 'always' })
  cleanUp(() => redis.stop())
  const proxy = await startRespProxy({ target: redis.url })
  cleanUp(() => proxy.stop())
  return { redis, proxy }
}

/**
 * C1. Up to 8 writers ask again until they are answered, and each of their writes is there once. With more, who was not
 * answered leaves it at that: a record remembers its last 16 operations, and with 64 writers that is a moment.
 */
async function manyWriters(context: Context): Promise<string> {
  const { redis, proxy } = await behindProxy(context)
  const keyring = await loadKeyring(generateKeyring({ signing: ['HS256'] }))
  const history = new History(() => performance.now())
  const store = redisStore({ url: proxy.url, deadline: '20s' })
  const node = new Node(0, openSessions({ store, keyring, nearCache: false }), history)
  context.cleanUp(() => node.sessions.close())
  const direct = new Node(1, openSessions({ store: redisStore({ url: redis.url }), keyring }), history)
  context.cleanUp(() => direct.sessions.close())
  const next = numbered('o')
  let [acknowledged, unknown, cuts] = [0, 0, 0]

  for (const writers of [2, 8, 64]) {
    const cart = await direct.issue('anna')
    demand(cart !== undefined, 'no session')
    let isOver = false
    const nemesis = (async () => {
      while (!isOver) {
        await sleep(20 + context.random.below(100))
        // What is said from now on is lost, though it was done.
        proxy.pause('answers')
        await sleep(context.random.below(20))
        proxy.cut()
        proxy.resume()
        cuts++
      }
    })()
    const each = Math.ceil((context.isShort ? 120 : 2_000) / writers)
    await Promise.all(
      Array.from({ length: writers }, async () => {
        for (let n = 0; n < each; n++) {
          const operation = next()
          for (let tries = 0; ; tries++) {
            const answer = await node.update(cart, operation)
            if (answer.is === 'ok') acknowledged++
            if (answer.is === 'info' && answer.isOpen) unknown++
            demand(answer.is !== 'fail', () => `an update was refused: ${JSON.stringify(answer)}`)
            if (answer.is === 'ok' || writers > 8) break
            demand(tries < 500, 'an update was never answered')
            await sleep(10)
          }
        }
      }),
    )
    isOver = true
    await nemesis
    await direct.look(cart)
  }
  const violations = check(history.calls, { staleMs: 0 })
  demand(violations.length === 0, () => violations.map(({ what }) => what).join('; '))
  demand(unknown > 0, 'no answer was lost')
  return `${acknowledged} acknowledged, ${unknown} with an unknown outcome, ${cuts} cuts: each is there once, or not at all`
}

/** C2. Each call is executed, its answer is lost, and it is made again. */
async function lostReplies(context: Context): Promise<string> {
  const { redis, proxy } = await behindProxy(context)
  const [store, direct] = [redisStore({ url: proxy.url, deadline: '1s' }), redisStore({ url: redis.url })]
  for (const one of [store, direct]) {
    await one.lifecycle.ready('faults')
    context.cleanUp(() => one.lifecycle.close())
  }
  const { createRule, endRule, recordOf, subjectRef } = samples
  /** Loses the answer, and makes sure of it. */
  const lose = async (call: () => Promise<unknown>, done: () => Promise<boolean>) => {
    proxy.pause('answers')
    const answer = call().then(
      () => 'answered',
      (error: { retryable?: boolean }) => (error.retryable ? 'not done' : 'unknown'),
    )
    for (const untilMs = Date.now() + 900; !(await done()) && Date.now() < untilMs; ) await sleep(5)
    proxy.cut()
    proxy.resume()
    demand((await answer) !== 'answered', 'the answer was not lost')
  }
  const again = async <T>(call: () => Promise<T>): Promise<T> => {
    for (let tries = 0; ; tries++) {
      try {
        return await call()
      } catch (error) {
        demand(tries < 500, () => `never answered: ${String(error)}`)
        await sleep(20)
      }
    }
  }
  const rounds = context.isShort ? 10 : 200
  let repeated = 0
  for (let round = 0; round < rounds; round++) {
    const ref = subjectRef()
    const nowMs = direct.lifecycle.nowMs()
    const record = recordOf(ref, {
      createdAtMs: nowMs,
      lastSeenAtMs: nowMs,
      idleAtMs: nowMs + 3_600_000,
      absoluteAtMs: nowMs + 7_200_000,
    })
    const found = async () => (await direct.sessions.read(record.id)).is
    const create = () => store.sessions.create(record, createRule, nowMs)
    await lose(create, async () => (await found()) === 'live')
    if ((await again(create)).is === 'exists') repeated++
    const index = async () => {
      const page = await direct.sessions.list(ref, null, { limit: 10, floorMs: 0 }, nowMs)
      const { live } = await direct.sessions.subject(ref, nowMs)
      return [page.items.length, live].join()
    }
    demand((await index()) === '1,1', `after a login the index holds ${await index()}`)

    const idleAtMs = nowMs + 5_000_000
    const touch = () => store.sessions.touch(record.id, { idleAtMs }, nowMs + 1_000)
    const seen = async () => {
      const now = await direct.sessions.read(record.id)
      return now.is === 'live' ? now.record.idleAtMs : 0
    }
    await lose(touch, async () => (await seen()) === idleAtMs)
    await again(touch)
    demand((await seen()) === idleAtMs, 'the touch had another effect')

    const end = () => store.sessions.end(record.id, 'logout', endRule, nowMs)
    await lose(end, async () => (await found()) === 'ended')
    const ended = await again(end)
    demand(ended.ids.length <= 1 && (await found()) === 'ended', 'the end had another effect')
    demand((await index()) === '0,0', `after the end the index holds ${await index()}`)
  }
  demand(repeated > 0, 'no repeated login found itself')
  return `${rounds} sessions, each call executed and unanswered: one effect, and the index is right`
}

export const carts: readonly Row[] = [
  {
    id: 'C1',
    fault: '2 to 64 writers on one cart, while answers are lost',
    passes: 'what was acknowledged is the final state; what is unknown is there once or not at all',
    proofs: [
      scenario('writers whose answers are lost', manyWriters),
      ...['redis', 'sqlite', 'postgres'].map((store) =>
        tests(
          `packages/countersign/test/races/${store}.test.ts`,
          '64 writers on one cart lose no acknowledged write',
          'packages/countersign/test/races/suite.ts',
        ),
      ),
    ],
  },
  {
    id: 'C2',
    fault: 'the answer to a create, a touch, an end is lost, and the call is made again',
    passes: 'one effect; no orphan in the index of the subject',
    proofs: [scenario('calls that were executed and not answered', lostReplies)],
  },
]
