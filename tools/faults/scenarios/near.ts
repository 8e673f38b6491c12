import { setTimeout as sleep } from 'node:timers/promises'
import { type Duration, generateKeyring, loadKeyring } from 'countersign'
import { redisStore } from 'countersign/stores/redis'
import { startRespProxy } from '../../test-support/resp-proxy.ts'
import { openSessions } from '../clients.ts'
import { type Call, lineOf } from '../history.ts'
import { loadOn } from '../load.ts'
import { onCluster, startGroup } from '../places.ts'
import { type Context, demand, elsewhere, type Row, scenario, tests } from '../scenario.ts'

const wire = 'packages/countersign/test/stores/redis-line-wire.test.ts'
const redis = 'packages/countersign/test/stores/redis-near.test.ts'
const unit = 'packages/countersign/test/cache/near-cache.test.ts'
const between = 'packages/countersign/test/cache/interleavings.test.ts'
const own = 'packages/countersign/test/cache/own-writes.test.ts'
const moves = 'packages/countersign/test/stores/redis-cluster-moves.test.ts'

/** N8. Nothing that is lossless costs a call its answer: the deadline is long enough to try again. */
async function movingSlots(context: Context): Promise<string> {
  const place = await onCluster(context, { isGentle: true })
  const sizes = context.isShort ? { calls: 2_000, atMostMs: 10_000 } : { calls: 100_000, atMostMs: 3_600_000 }
  const onRound = ({ calls }: { calls: readonly Call[] }) => {
    const unanswered = calls.filter(({ verb, answer }) => verb === 'verify' && answer.is === 'info')
    demand(unanswered.length === 0, () => `${unanswered.length} checks were not answered: ${lineOf(unanswered[0]!)}`)
  }
  return `${await loadOn(place, context, { ...sizes, onRound })}; every check was answered`
}

/**
 * A process that is cut off together with a primary which sentinels have replaced: the old one would answer it for ever,
 * and goes on telling of changes, of which there are none. Only a fence that a write has to pass shows it up.
 */
async function cutOff({ cleanUp }: Context): Promise<string> {
  const { group, boundMs } = await startGroup(cleanUp)
  const proxies = await Promise.all(group.sentinels.map(({ url }) => startRespProxy({ target: url })))
  cleanUp(() => Promise.all(proxies.map((proxy) => proxy.stop())))
  const keyring = await loadKeyring(generateKeyring({ signing: ['HS256'] }))
  const open = (nodes: readonly string[], deadline: Duration) => {
    const store = redisStore({ sentinels: { name: group.name, nodes, password: 'data' }, deadline })
    const sessions = openSessions({ store, keyring })
    cleanUp(() => sessions.close())
    return sessions
  }
  const here = open(
    group.sentinels.map(({ url }) => url),
    '20s',
  )
  const beyond = open(
    proxies.map(({ url }) => url),
    '0.5s',
  )
  const issued = await here.issue({ subject: 'anna', data: { operations: [] } })
  demand(issued.ok, 'no session')
  for (let tries = 0; beyond.verifyNow(issued.accessToken)?.ok !== true; tries++) {
    demand(tries < 1_000, 'no copy was served')
    // It gives up early, which a busy machine may bring about by itself.
    await beyond.verify(issued.accessToken).catch(() => {})
    await sleep(10)
  }

  const old = await group.primary()
  for (const proxy of proxies) proxy.pause()
  await group.isolate(old)
  let [lastMs, served, isOver] = [performance.now(), 0, false]
  const watching = (async () => {
    while (!isOver) {
      const atMs = performance.now()
      const checked =
        beyond.verifyNow(issued.accessToken) ?? (await beyond.verify(issued.accessToken).catch(() => undefined))
      if (checked?.ok) [lastMs, served] = [atMs, served + 1]
      await sleep(5)
    }
  })()
  for (let tries = 0; (await group.primary()) === old; tries++) {
    demand(tries < 600, 'nobody took over')
    await sleep(100)
  }
  for (let tries = 0; ; tries++) {
    const { durability } = await here.revoke(issued.session.sessionId, { reason: 'logout' })
    if (durability !== 'queued') break
    demand(tries < 600, 'the revocation still waits')
    await sleep(100)
  }
  const revokedMs = performance.now()
  await sleep(boundMs + 2_000)
  isOver = true
  await watching
  const lateMs = lastMs - revokedMs
  demand(lateMs <= boundMs, `served ${lateMs.toFixed(0)} ms after the revocation, and the bound is ${boundMs}`)
  return `served ${served} times after it was cut off, last ${(-lateMs).toFixed(0)} ms before the revocation elsewhere`
}

export const near: readonly Row[] = [
  {
    id: 'N1',
    fault:
      'push in the same chunk as the reply; split at every byte; two pushes; null push; null push during 100 fills; unknown push; 100 k keys in one push',
    passes: 'no value read before the push is served after it',
    proofs: [
      tests(wire, 'N1: a reply and a push'),
      tests(wire, 'a push for all keys in the middle of a hundred reads'),
      tests(wire, 'a hundred thousand keys in one push'),
      tests(unit, 'not kept when %s'),
    ],
  },
  {
    id: 'N2',
    fault: 'the tracked connection is a black hole, and the session is revoked elsewhere',
    passes: '0 stale hits later than the acknowledgement and 1 s; requests end by their deadline; it recovers',
    proofs: [
      tests(redis, 'N2: while %s'),
      tests(
        wire,
        'a fence that is not answered: reads go elsewhere after 400 ms, and after a second the line is replaced',
      ),
    ],
  },
  {
    id: 'N3',
    fault: 'the tracked connection is killed while 1 000 fills are under way',
    passes: 'none is kept under the old connection',
    proofs: [
      tests(wire, 'N3: killed with a thousand reads under way, nothing of them is kept, and all are answered'),
      tests(wire, 'a copy of the connection before is void, however well the next one is proven'),
    ],
  },
  {
    id: 'N4',
    fault: 'the event loop stands still for 3 s, and the session is revoked meanwhile',
    passes: 'the first request afterwards does not use the copy',
    proofs: [tests(redis, 'N4: an event loop that stood still for 3 s does not believe its copies')],
  },
  {
    id: 'N5',
    fault: 'a session expires among 100 000 other keys that expire',
    passes: 'no hit after its deadline, give or take what the clocks are off',
    proofs: [tests(redis, 'N5: is refused at its deadline, however many other keys the server has to expire first')],
  },
  {
    id: 'N7',
    fault: '`FLUSHALL`, `SWAPDB`, `CLIENT KILL`, a `RESET` on the tracked connection, `tracking-table-max-keys 1`',
    passes: 'never stale beyond 1 s; `SWAPDB`: never beyond the age of a copy',
    proofs: [
      tests(redis, 'N7: %s'),
      tests(redis, 'N7: a RESET on the tracked connection'),
      tests(redis, 'N7: a tracking table with room for one key'),
      tests(unit, 'of age, by the %s clock, whatever the fences say'),
    ],
  },
  {
    id: 'N9',
    fault: 'a million session ids that nobody issued',
    passes: 'the memory of process and server grows by less than 1 MiB',
    proofs: [
      tests(redis, 'N9: tokens with ids that nobody issued grow nothing and ask nobody'),
      tests(
        'packages/countersign/test/cache/known-tokens.test.ts',
        'N9: a million tokens that come once take no more room than the bounds allow',
      ),
    ],
  },
  {
    id: 'N10',
    fault: 'a write and then a read of the same process, over two connections, again and again',
    passes: 'it always reads what it wrote',
    proofs: [
      tests(redis, 'N10: what this process wrote, it reads, over two connections'),
      tests(own, '%s drops %s'),
      tests(between, 'what was read beside a write of this process is not served once the write has been acknowledged'),
      tests(between, 'nor is a read joined that was sent while the write was under way'),
      tests(between, 'no copy is served while a write of this process is under way, whose answer may be lost'),
      tests(between, 'an update that is told to be done only when it is asked for again drops the copy from before it'),
    ],
  },
  {
    id: 'N11',
    fault: 'the machine is suspended, and the session is revoked meanwhile',
    passes: 'nothing stale after it wakes up',
    proofs: [tests(unit, 'not served when %s')],
  },
  {
    id: 'N8',
    fault: 'slots move (by hand, or atomically), are lost by force, a replica is promoted, all under load',
    passes: 'never stale beyond 1 s, the node timeout and 1 s; no call of one key fails once it was tried again',
    proofs: [
      scenario('slots that move and replicas that take over, under load', movingSlots),
      scenario('cut off together with a primary that was replaced', cutOff),
      tests(moves, 'costs no call its answer, whatever it is'),
      tests(moves, 'stops to answer, reads too, before anybody else could have taken its place for long'),
      elsewhere('slots that move atomically', 'Redis 8.4 or Valkey 9'),
      elsewhere('a slot lost by force is told', 'Redis 7.2 or Valkey'),
    ],
  },
]
