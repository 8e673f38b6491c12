// Loss of power at a Redis under load: with `appendfsync always` every answer is `fsynced` and is there. With `everysec`
// answers are `local`, and some are lost.
import { generateKeyring } from 'countersign'
import { expect, onTestFinished, test } from 'vitest'
import { count } from '../../../../tools/test-support/counts.ts'
import type { History } from '../../../../tools/test-support/crash/history.ts'
import { startDisk } from '../../../../tools/test-support/power-loss/power-loss.ts'
import { Random } from '../../../../tools/test-support/random.ts'
import { type RedisServer, startRedis } from '../../../../tools/test-support/redis-server.ts'
import { crashServer, expectAll, lossesIn, type Run } from './rounds.ts'

const TIMEOUT_MS = count(180_000, 3_600_000)

async function onDisk(appendfsync: 'always' | 'everysec') {
  const disk = await startDisk()
  onTestFinished(() => disk.remove())
  const start = async (env: NodeJS.ProcessEnv = {}): Promise<RedisServer> => {
    const redis = await startRedis({ dir: disk.folder, appendonly: true, appendfsync, policy: 'noeviction', env })
    onTestFinished(() => redis.stop())
    return redis
  }
  const same = { keyring: generateKeyring(), random: new Random() }
  const runOn = ({ url }: RedisServer): Run => ({ ...same, place: { kind: 'redis', url } })
  // Its folder is on the disk before the first round.
  await (await start()).stop()
  return {
    /** Cuts the power in the middle of a load. */
    async loadAndCut(): Promise<History> {
      const redis = await start(disk.plugIn())
      const history = await crashServer(() => redis.kill(), runOn(redis))
      disk.cutPower()
      return history
    },
    /** Calls `look` with what the disk has kept. */
    async after<T>(look: (run: Run) => Promise<T>): Promise<T> {
      const redis = await start()
      const seen = await look(runOn(redis))
      await redis.stop()
      return seen
    },
  }
}

test('with appendfsync always nothing that was acknowledged is lost', { timeout: TIMEOUT_MS }, async () => {
  const { loadAndCut, after } = await onDisk('always')
  const histories: History[] = []
  for (let round = 0; round < count(3, 100); round++) {
    const history = await loadAndCut()
    expect(await after((run) => lossesIn([history], run))).toEqual([])
    histories.push(history)
  }
  await after((run) => expectAll(histories, run))
})

test('with appendfsync everysec some is lost, and no answer had said otherwise', { timeout: TIMEOUT_MS }, async () => {
  const { loadAndCut, after } = await onDisk('everysec')
  let lost = 0
  // Nothing is lost when the log happens to have been synced just before.
  for (let tries = 0; tries < 10 && lost === 0; tries++) {
    const history = await loadAndCut()
    expect([...history.durabilities]).toEqual(['local'])
    lost = (await after((run) => lossesIn([history], run))).length
  }
  expect(lost).toBeGreaterThan(0)
})
