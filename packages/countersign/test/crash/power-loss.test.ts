// Loss of power under load, on SQLite: whatever was answered as `fsynced` is there, and the file is sound. What is taken
// to be on the disk says tools/test-support/power-loss/disk.c. Each weaker setting loses something, which shows that
// this can fail.

import { generateKeyring } from 'countersign'
import { samples } from 'countersign/conformance'
import type { SessionId } from 'countersign/stores/contract'
import { sqliteStore } from 'countersign/stores/sqlite'
import { describe, expect, onTestFinished, test } from 'vitest'
import { count } from '../../../../tools/test-support/counts.ts'
import { noSync } from '../../../../tools/test-support/crash/faults.ts'
import type { History } from '../../../../tools/test-support/crash/history.ts'
import { type Disk, startDisk } from '../../../../tools/test-support/power-loss/power-loss.ts'
import { Random } from '../../../../tools/test-support/random.ts'
import { query, startScript } from '../stores/sqlite/support.ts'
import { expectAll, killProcess, lossesIn, type Run } from './rounds.ts'

const { live } = samples

const TIMEOUT_MS = count(180_000, 3_600_000)

interface PoweredRun extends Run {
  readonly disk: Disk
  readonly file: string
}

async function onDisk(): Promise<PoweredRun> {
  const disk = await startDisk()
  onTestFinished(() => disk.remove())
  const file = `${disk.folder}/made/anew/sessions.db`
  return { disk, file, place: { kind: 'sqlite', file }, keyring: generateKeyring(), random: new Random() }
}

/** Runs a job of disk-child.ts until it has said so many lines. */
async function doUntilSaid(lines: number, job: string, { file, disk }: PoweredRun): Promise<readonly string[]> {
  const child = startScript(new URL('disk-child.ts', import.meta.url), [job, file], disk.plugIn())
  await child.said(lines)
  child.process.kill('SIGKILL')
  await child.ended
  return child.lines
}

/** Runs a job of disk-child.ts to its end, cuts the power, and opens what is there. */
async function doAndCut(job: string) {
  const run = await onDisk()
  const { disk, file } = run
  const [id] = await doUntilSaid(2, job, run)
  disk.cutPower()
  const store = sqliteStore({ file })
  onTestFinished(() => store.lifecycle.close())
  return { store, record: await live(store, id as SessionId) }
}

async function isSound(file: string): Promise<boolean> {
  const found = await query(file, 'PRAGMA integrity_check').catch(() => [])
  return found[0]?.integrity_check === 'ok'
}

test('nothing that was acknowledged is lost with the power', { timeout: TIMEOUT_MS }, async () => {
  const run = await onDisk()
  const histories: History[] = []
  let checkpoints = 0
  for (let round = 0; round < count(3, 200); round++) {
    // From about 250 answers on the log has been moved into the database meanwhile.
    const answers = 60 + ((round * 130) % 400)
    const history = await killProcess(run, { env: run.disk.plugIn(), answers })
    const syncs = run.disk.syncs()
    const ofLog = syncs.filter(({ path, bytes }) => path.endsWith('.db-wal') && bytes > 0)
    checkpoints += syncs.filter(({ path, bytes }) => path.endsWith('.db') && bytes > 100_000).length
    // The disk was really asked, for each of them.
    expect(ofLog.length).toBeGreaterThanOrEqual(acknowledged(history))
    // Nothing that was not synced is left, or some of it.
    run.disk.cutPower(round % 2 === 0 ? undefined : run.random)
    expect(await isSound(run.file)).toBe(true)
    expect(await lossesIn([history], run)).toEqual([])
    histories.push(history)
  }
  expect(checkpoints).toBeGreaterThan(0)
  await expectAll(histories, run)
})

test('every step but a touch has waited for the disk when it is acknowledged', async () => {
  const said = await doUntilSaid(16, 'steps', await onDisk())
  expect(said.filter((line) => !line.endsWith(': on the disk'))).toEqual(['touch: later', 'done'])
})

const acknowledged = ({ counts }: History) => Object.values(counts).reduce((sum, n) => sum + n, 0)

describe('what must be found out', { timeout: TIMEOUT_MS }, () => {
  /** A file that is on the disk, then a load with the fault, then the power. */
  const faultyRound = async (fault: NodeJS.ProcessEnv | 'lies', answers?: number, keepsSome = false) => {
    const run = await onDisk()
    const before = await killProcess(run, { env: run.disk.plugIn() })
    run.disk.cutPower()
    const env = fault === 'lies' ? run.disk.plugIn({ lies: true }) : { ...run.disk.plugIn(), ...fault }
    const history = await killProcess(run, { env, ...(answers !== undefined && { answers }) })
    const syncs = run.disk.syncs().length
    run.disk.cutPower(keepsSome ? run.random : undefined)
    if (!(await isSound(run.file))) return { isSound: false, syncs, earlier: [], losses: [] }
    const [earlier, losses] = [await lossesIn([before], run), await lossesIn([history], run)]
    return { isSound: true, syncs, earlier, losses }
  }

  test('synchronous=OFF loses what was acknowledged', async () => {
    const { losses, ...rest } = await faultyRound(noSync('OFF'))
    expect(rest).toEqual({ isSound: true, syncs: 0, earlier: [] })
    expect(losses.length).toBeGreaterThan(0)
  })

  test('synchronous=OFF damages the file, or what was safe before, when the disk has only some of it', async () => {
    let isSpoilt = false
    for (let tries = 0; tries < 10 && !isSpoilt; tries++) {
      const { isSound, earlier } = await faultyRound(noSync('OFF'), 600, true)
      isSpoilt = !isSound || earlier.length > 0
    }
    expect(isSpoilt).toBe(true)
  })

  test('synchronous=NORMAL loses what was acknowledged, and damages nothing', async () => {
    let lost = 0
    // Nothing is lost when the log happens to have been moved just before.
    for (let tries = 0; tries < 10 && lost === 0; tries++) {
      const { isSound, earlier, losses } = await faultyRound(noSync('NORMAL'))
      expect({ isSound, earlier }).toEqual({ isSound: true, earlier: [] })
      lost = losses.length
    }
    expect(lost).toBeGreaterThan(0)
  })

  test('a disk that says that it has synced, and has not', async () => {
    const { losses } = await faultyRound('lies')
    expect(losses.length).toBeGreaterThan(0)
  })
})

describe('what may be lost', { timeout: TIMEOUT_MS }, () => {
  test('a touch that nothing followed is lost, and nothing else', async () => {
    const { record } = await doAndCut('touch')
    expect(record).toMatchObject({ version: 1, idleAtMs: record.createdAtMs + 30 * 60_000 })
  })

  test('a touch that a durable write followed is kept', async () => {
    const { record } = await doAndCut('touch, update')
    expect(record).toMatchObject({ version: 2, data: '"updated"', idleAtMs: record.createdAtMs + 60 * 60_000 + 3 })
  })

  test('nothing after an orderly stop', async () => {
    const { record } = await doAndCut('update, close')
    expect(record).toMatchObject({ version: 2, data: '"updated"' })
  })
})

test('a first start that is cut short leaves nothing in the way of the next', { timeout: TIMEOUT_MS }, async () => {
  for (let round = 0; round < count(3, 200); round++) {
    const { disk, file, random } = await onDisk()
    const child = startScript(new URL('disk-child.ts', import.meta.url), ['open', file], disk.plugIn())
    await child.said(1)
    await new Promise((resolve) => setTimeout(resolve, random.below(60)))
    child.process.kill('SIGKILL')
    await child.ended
    disk.cutPower(random)
    const store = sqliteStore({ file })
    await store.lifecycle.ready('fingerprint')
    await store.lifecycle.close()
    expect(await isSound(file)).toBe(true)
    disk.remove()
  }
})
