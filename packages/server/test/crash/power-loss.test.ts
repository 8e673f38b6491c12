// Loss of power at a machine with the service and its SQLite file, from the very first start on: keys and data are there
// together, and everything acknowledged is. What is taken to be on the disk says tools/test-support/power-loss/disk.c.
import { readFileSync } from 'node:fs'
import { expect, onTestFinished, test } from 'vitest'
import { count } from '../../../../tools/test-support/counts.ts'
import { noSync } from '../../../../tools/test-support/crash/faults.ts'
import type { History } from '../../../../tools/test-support/crash/history.ts'
import { startDisk } from '../../../../tools/test-support/power-loss/power-loss.ts'
import { Random } from '../../../../tools/test-support/random.ts'
import { run } from '../process.ts'
import { crashUnderLoad, expectAll, lossesIn, serve } from './rounds.ts'

const TIMEOUT_MS = count(180_000, 3_600_000)

async function freshDisk() {
  const disk = await startDisk()
  onTestFinished(() => disk.remove())
  return disk
}

test('the service starts again with its keys and with all that it had acknowledged', {
  timeout: TIMEOUT_MS,
}, async () => {
  const disk = await freshDisk()
  const flags = ['--data', `${disk.folder}/made/anew`]
  const random = new Random()
  const histories: History[] = []
  let server = await serve(flags, disk.plugIn())
  for (let round = 0; round < count(3, 100); round++) {
    const history = await crashUnderLoad(() => server.stop('SIGKILL'), server.url, random)
    disk.cutPower(round % 2 === 0 ? undefined : random)
    server = await serve(flags, disk.plugIn())
    expect(await lossesIn([history], server.url)).toEqual([])
    histories.push(history)
  }
  await expectAll(histories, server.url)
})

test('a service with synchronous=OFF is found out', { timeout: TIMEOUT_MS }, async () => {
  const disk = await freshDisk()
  const flags = ['--data', disk.folder]
  // So that there is a file, and only the load is lost.
  const first = await serve(flags)
  await first.stop()
  const faulty = await serve(flags, { ...disk.plugIn(), ...noSync('OFF') })
  const history = await crashUnderLoad(() => faulty.stop('SIGKILL'), faulty.url, new Random())
  disk.cutPower()
  const server = await serve(flags)
  expect((await lossesIn([history], server.url)).length).toBeGreaterThan(0)
})

test('a keyring that a command has made or changed is on the disk when it says so', async () => {
  const disk = await freshDisk()
  const file = `${disk.folder}/made/anew/keys.json`
  const command = async (...args: string[]) => {
    const { code, stdout } = await run(['keys', ...args, '--json'], { cwd: disk.folder, env: env() })
    expect(code).toBe(0)
    disk.cutPower()
    return JSON.parse(stdout)
  }
  const env = () => disk.plugIn() as Record<string, string>
  await command('generate', '--out', file)
  expect(JSON.parse(readFileSync(file, 'utf8')).mac).toHaveLength(1)
  const { kid } = await command('rotate', 'mac', '--now', '--keys', file)
  expect(JSON.parse(readFileSync(file, 'utf8')).mac).toMatchObject([{ state: 'retiring' }, { kid, state: 'active' }])
})
