/** 100 000 sessions end by themselves, nobody logs out: keys and tables return to where they were. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { allowlist, createSessions, generateKeyring, loadKeyring, opaque } from 'countersign'
import type { Store } from 'countersign/stores/contract'
import { redisStore } from 'countersign/stores/redis'
import { sqliteStore } from 'countersign/stores/sqlite'
import { describe, expect, test } from 'vitest'
import { count } from '../../../../tools/test-support/counts.ts'
import { startRedis } from '../../../../tools/test-support/redis-server.ts'
import { ask } from '../../../../tools/test-support/resp.ts'
import { loadDriver } from '../../src/stores/sqlite/driver.ts'

const TOTAL = count(5_000, 100_000)
const PER_SUBJECT = 5
const PATIENCE_MS = 300_000

async function fill(store: Store, strategy: ReturnType<typeof allowlist<true>>) {
  const sessions = createSessions({
    strategy,
    keyring: await loadKeyring(generateKeyring()),
    store,
    timeouts: { absolute: '2s' },
  })
  await sessions.ready()
  let issued = 0
  for (let start = 0; start < TOTAL; start += 500) {
    const answers = await Promise.all(
      Array.from({ length: 500 }, (_, n) => sessions.issue({ subject: `u${Math.floor((start + n) / PER_SUBJECT)}` })),
    )
    issued += answers.filter((answer) => answer.ok).length
  }
  expect(issued).toBe(TOTAL)
  return sessions
}

/** Waits until `measure` is back at `baseline`, and answers the last figure. */
async function settled(measure: () => Promise<number>, baseline: number): Promise<number> {
  const until = Date.now() + PATIENCE_MS
  let figure = await measure()
  while (figure !== baseline && Date.now() < until) {
    await new Promise((resolve) => setTimeout(resolve, 250))
    figure = await measure()
  }
  return figure
}

describe.each(['opaque', 'allowlist'] as const)(`${TOTAL} sessions of %s expire`, (name) => {
  const strategy = () =>
    (name === 'opaque' ? opaque() : allowlist({ issuer: 'i', audience: 'a', accessLifetime: '1s' })) as ReturnType<
      typeof allowlist<true>
    >

  test('on Redis', { timeout: 600_000 }, async () => {
    const redis = await startRedis({ args: ['--active-expire-effort', '10', '--hz', '100'] })
    const sessions = await fill(redisStore({ url: redis.url, deadline: '60s' }), strategy())
    const keys = async () => Number(/:(\d+)/.exec(await ask(redis.port, [['DBSIZE']]))?.[1])
    const most = await keys()
    expect(most).toBeGreaterThan(PER_SUBJECT)
    // The floor is the one key that stays.
    expect(await settled(keys, 1)).toBe(1)
    await sessions.close()
    await redis.stop()
  })

  test('on SQLite', { timeout: 600_000 }, async () => {
    const dir = await mkdtemp(join(tmpdir(), 'countersign-expiry-'))
    const file = join(dir, 'sessions.db')
    const sessions = await fill(sqliteStore({ file }), strategy())
    const db = await rowCounter(file)
    expect(db.rows()).toBeGreaterThan(0)
    expect(await settled(async () => db.rows(), 0)).toBe(0)
    db.close()
    await sessions.close()
    await rm(dir, { recursive: true })
  })
})

/** Rows of every table that grows with sessions, through a connection of its own. */
async function rowCounter(file: string) {
  const { DatabaseSync } = await loadDriver()
  const db = new DatabaseSync(file)
  return {
    rows: () =>
      ['sessions', 'subjects', 'revocations'].reduce(
        (sum, table) => sum + Number((db.prepare(`SELECT count(*) AS n FROM ${table}`).get() as { n: number }).n),
        0,
      ),
    close: () => db.close(),
  }
}
