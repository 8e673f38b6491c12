// kill -9 under load, of the process that writes and of the Redis that it writes to: every acknowledged login, rotation,
// update and revocation is there afterwards, and a call without an answer happened once or not at all. A kill leaves what
// the kernel was given, so this shows that nothing is answered before it is committed. power-loss.test.ts shows the rest.
import { generateKeyring } from 'countersign'
import { expect, onTestFinished, test } from 'vitest'
import { count } from '../../../../tools/test-support/counts.ts'
import type { Loss } from '../../../../tools/test-support/crash/check.ts'
import { EARLY_COMMIT } from '../../../../tools/test-support/crash/faults.ts'
import type { History } from '../../../../tools/test-support/crash/history.ts'
import { Random } from '../../../../tools/test-support/random.ts'
import { type RedisOptions, type RedisServer, startRedis } from '../../../../tools/test-support/redis-server.ts'
import { freshFile, query } from '../stores/sqlite/support.ts'
import { crashServer, expectAll, killProcess, lossesIn, type Run } from './rounds.ts'

const TIMEOUT_MS = count(180_000, 3_600_000)

const onSqlite = (): Run & { file: string } => {
  const file = freshFile()
  return { place: { kind: 'sqlite', file }, file, keyring: generateKeyring(), random: new Random() }
}

async function onRedis(options: RedisOptions): Promise<Run & { redis: RedisServer }> {
  const redis = await startRedis(options)
  onTestFinished(() => redis.stop())
  return { place: { kind: 'redis', url: redis.url }, redis, keyring: generateKeyring(), random: new Random() }
}

/** Kills Redis under load, and starts it again. */
const killRedis = async (run: Run & { redis: RedisServer }): Promise<History> => {
  const history = await crashServer(() => run.redis.kill(), run)
  await run.redis.restart()
  return history
}

test('SQLite: a process that is killed loses nothing that it had acknowledged', { timeout: TIMEOUT_MS }, async () => {
  const run = onSqlite()
  const histories: History[] = []
  for (let round = 0; round < count(6, 200); round++) {
    const history = await killProcess(run)
    expect(await lossesIn([history], run)).toEqual([])
    expect(await query(run.file, 'PRAGMA integrity_check')).toEqual([{ integrity_check: 'ok' }])
    histories.push(history)
  }
  await expectAll(histories, run)
})

test('SQLite: a process that answers before it commits is found out', { timeout: TIMEOUT_MS }, async () => {
  const run = onSqlite()
  const lost = new Set<Loss['verb']>()
  for (let round = 0; round < 30 && !(lost.has('rotation') && lost.has('update') && lost.has('revoke')); round++) {
    const history = await killProcess(run, { env: EARLY_COMMIT })
    for (const { verb } of await lossesIn([history], run)) lost.add(verb)
  }
  expect([...lost]).toEqual(expect.arrayContaining(['rotation', 'update', 'revoke']))
})

test('Redis: neither a process nor the Redis that is killed loses anything', { timeout: TIMEOUT_MS }, async () => {
  const run = await onRedis({ appendonly: true, appendfsync: 'always', policy: 'noeviction' })
  const histories: History[] = []
  for (let round = 0; round < count(6, 400); round++) {
    const history = round % 2 === 0 ? await killRedis(run) : await killProcess(run)
    expect(await lossesIn([history], run)).toEqual([])
    histories.push(history)
  }
  await expectAll(histories, run)
})

test('Redis: one that keeps no log on its disk is found out', { timeout: TIMEOUT_MS }, async () => {
  const run = await onRedis({ appendonly: false })
  const history = await killRedis(run)
  expect([...history.durabilities]).toEqual(['local'])
  expect((await lossesIn([history], run)).length).toBeGreaterThan(0)
})
