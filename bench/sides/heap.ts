// Memory of this process before and after its near cache was filled. Run with --expose-gc.
import { createSessions } from 'countersign'
import { redisStore } from 'countersign/stores/redis'
import { textOf } from './content.ts'
import { ALLOWLIST, issueAll, keyring, NEAR_CACHE, NO_NEAR_CACHE, SESSIONS_OPTIONS } from './sessions.ts'

export interface ToldHeap {
  readonly redis: string
  readonly sessions: number
}
/** The only line of output. */
export interface Heap {
  readonly bytesPerEntry: number
}

const told = JSON.parse(process.argv[2]!) as ToldHeap
const keys = await keyring()
const open = (cache: typeof NEAR_CACHE | typeof NO_NEAR_CACHE) =>
  createSessions({
    ...SESSIONS_OPTIONS,
    strategy: ALLOWLIST,
    keyring: keys,
    store: redisStore({ url: told.redis, prefix: `heap-${process.pid}` }),
    ...cache,
  })

// The tokens as bytes outside the heap: those that the cache keeps are its own.
const issuer = open(NO_NEAR_CACHE)
const tokens = (await issueAll(issuer, told.sessions)).map((token) => Buffer.from(token, 'latin1'))
await issuer.close()
const sessions = open(NEAR_CACHE)
await sessions.verify(textOf(tokens[0]!))

const before = await used()
for (const token of tokens) {
  const checked = await sessions.verify(textOf(token))
  if (!checked.ok) throw new Error(`refused: ${checked.reason}`)
}
const after = await used()
let hits = 0
for (const token of tokens) if (sessions.verifyNow(textOf(token))?.ok) hits++
if (hits < tokens.length * 0.99) throw new Error(`only ${hits} of ${tokens.length} sessions are in the near cache`)
console.log(JSON.stringify({ bytesPerEntry: (after - before) / (hits - 1) } satisfies Heap))
await sessions.close()
process.exit(0)

/** Heap and buffers, once nothing is left to collect. */
async function used(): Promise<number> {
  for (let last = Number.POSITIVE_INFINITY; ; ) {
    for (let one = 0; one < 4; one++) {
      globalThis.gc!()
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
    const { heapUsed, external } = process.memoryUsage()
    const now = heapUsed + external
    if (now > last - 10_000) return now
    last = now
  }
}
