// Heap that a cached session takes, its token included: 20 000 sessions on a real Redis, so that nothing of them is in
// this process but the copies. Prints bytes per session, and per token without a copy, beside the estimate by which the
// near cache keeps to `maxBytes`.
//   npx tsx bench/near/heap.ts [--sessions 20000]
import { parseArgs } from 'node:util'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { allowlist, createSessions, denylist, generateKeyring, loadKeyring, opaque } from 'countersign'
import { redisStore } from 'countersign/stores/redis'
import { z } from 'zod'
import { startRedis } from '../../tools/test-support/redis-server.ts'

export interface HeapRow {
  readonly name: string
  readonly tokenCharacters: number
  /** Measured: with the copy, and of the token alone. */
  readonly bytes: number
  readonly bytesWithoutCopy: number
  /** What the near cache reckons with. */
  readonly estimate: number
}

/** At most, for `heap-per-entry`. */
export const MOST_BYTES = 2_560

setFlagsFromString('--expose-gc')
const gc: () => void = runInNewContext('gc')
const JWT = { issuer: 'https://auth.example.com', audience: 'https://api.example.com' }
const PLAIN = { n: 1 }
const CART = { items: Array.from({ length: 10 }, (_, n) => ({ id: `item-${n}`, count: n, note: 'wrapped' })) }

export async function measureHeap(sessionCount: number): Promise<HeapRow[]> {
  const redis = await startRedis({ policy: 'noeviction' })
  const rows: HeapRow[] = []
  try {
    for (const [name, strategy, data] of [
      ['opaque', opaque(), PLAIN],
      ['allowlist', allowlist(JWT), PLAIN],
      ['allowlist, 500 bytes of data', allowlist(JWT), CART],
      ['denylist', denylist(JWT), PLAIN],
    ] as const) {
      rows.push(await measure(name, redis.url, strategy as ReturnType<typeof allowlist>, data, sessionCount))
    }
  } finally {
    await redis.stop()
  }
  return rows
}

async function measure(
  name: string,
  url: string,
  strategy: ReturnType<typeof allowlist>,
  data: object,
  sessionCount: number,
): Promise<HeapRow> {
  const sessions = createSessions({
    strategy,
    keyring: await loadKeyring(generateKeyring()),
    store: redisStore({ url, prefix: name.replaceAll(/[^a-z]/g, '') }),
    timeouts: { idle: '30m', absolute: '7d' },
    roles: ['user', 'admin'],
    data: z.any(),
    nearCache: { maxBytes: 2 ** 30 },
  })
  // Outside the heap, as the requests of other times are.
  const tokens: Buffer[] = []
  const subjects: string[] = []
  for (let n = 0; n < sessionCount; n++) {
    const issued = await sessions.issue({
      subject: `user:${n}`,
      roles: ['user'],
      amr: ['pwd'],
      device: { id: `device-${n}`, label: 'Firefox on Linux', class: 'browser' },
      context: {
        ip: '192.0.2.17',
        userAgent: 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0',
      },
      data,
    })
    if (!issued.ok) throw new Error(issued.reason)
    tokens.push(Buffer.from(issued.accessToken))
    subjects.push(`user:${n}`)
  }
  // Opens the line and compiles what there is to compile.
  while (!sessions.health().nearCache.isOn) {
    await sessions.verify(tokens[0]!.toString())
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  const before = await heap()
  for (const token of tokens) await sessions.verify(token.toString())
  const { kept, entries, bytes: estimate } = sessions.health().nearCache
  if (entries !== sessionCount || kept < sessionCount) throw new Error('not every session was kept')
  const bytes = ((await heap()) - before) / sessionCount
  // A write of this process takes the copies away and leaves the tokens.
  for (const subject of subjects) await sessions.setRoles(subject, ['user'])
  const bytesWithoutCopy = ((await heap()) - before) / sessionCount
  await sessions.close()
  return { name, tokenCharacters: tokens[0]!.length, bytes, bytesWithoutCopy, estimate: estimate / sessionCount }
}

async function heap(): Promise<number> {
  for (let n = 0; n < 4; n++) {
    await new Promise((resolve) => setTimeout(resolve, 50))
    gc()
  }
  return process.memoryUsage().heapUsed
}

if (process.argv[1] === import.meta.filename) {
  const { values } = parseArgs({ options: { sessions: { type: 'string', default: '20000' } } })
  const rows = await measureHeap(Number(values.sessions))
  console.log(`Node ${process.version}, ${values.sessions} sessions, bytes of heap per session\n`)
  console.log('| Session | token, characters | cached | token alone | estimate |\n| --- | --- | --- | --- | --- |')
  for (const { name, tokenCharacters, bytes, bytesWithoutCopy, estimate } of rows) {
    const cells = [name, tokenCharacters, bytes.toFixed(0), bytesWithoutCopy.toFixed(0), estimate.toFixed(0)]
    console.log(`| ${cells.join(' | ')} |`)
  }
  const most = rows.find(({ name }) => name === 'allowlist')!.bytes
  console.log(`\nheap-per-entry: ${most.toFixed(0)} (at most ${MOST_BYTES})`)
  process.exitCode = most <= MOST_BYTES ? 0 : 1
}
