import { execFile } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, onTestFinished, test } from 'vitest'
import { Random } from '../random.ts'
import { type Disk, startDisk } from './power-loss.ts'

async function freshDisk(): Promise<Disk> {
  const disk = await startDisk()
  onTestFinished(() => disk.remove())
  return disk
}

/** Runs `code` in a process in the folder, with `fs` and two short forms of it, and cuts the power. */
async function runAndCut(disk: Disk, code: string, options: { lies?: boolean; kept?: Random } = {}): Promise<string> {
  const helpers = `
    process.chdir(process.env.POWER_LOSS_ROOT)
    const sync = (path) => { const fd = fs.openSync(path, 'r'); fs.fsyncSync(fd); fs.closeSync(fd) }
    const write = fs.writeFileSync`
  const args = ['-e', `${helpers}\n${code}`]
  const { stdout } = await promisify(execFile)(process.execPath, args, {
    env: { ...process.env, ...disk.plugIn({ lies: options.lies ?? false }) },
  })
  disk.cutPower(options.kept)
  return stdout
}

function contents({ folder }: Disk): Record<string, string> {
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) =>
    statSync(join(folder, name)).isFile(),
  )
  return Object.fromEntries(files.sort().map((name) => [name, readFileSync(join(folder, name), 'utf8')]))
}

test('what was there before is kept, and what was synced', async () => {
  const disk = await freshDisk()
  writeFileSync(join(disk.folder, 'old'), 'old')
  await runAndCut(disk, `write('new', 'new'); sync('new'); sync('.')`)
  expect(contents(disk)).toEqual({ old: 'old', new: 'new' })
  expect(disk.syncs()).toEqual([
    { bytes: 3, path: './new' },
    { bytes: expect.any(Number), path: '.' },
  ])
})

test.each<[string, string, Record<string, string>]>([
  ['a write', `write('a', 'A')`, { a: 'a', b: 'b' }],
  ['a write after a sync', `write('a', 'A'); sync('a'); write('a', 'AA')`, { a: 'A', b: 'b' }],
  ['a longer file', `fs.appendFileSync('a', '+')`, { a: 'a', b: 'b' }],
  ['a shorter file', `fs.truncateSync('a')`, { a: 'a', b: 'b' }],
  ['another file that is synced', `write('a', 'A'); sync('b')`, { a: 'a', b: 'b' }],
  ['a file without its name', `write('c', 'c'); sync('c')`, { a: 'a', b: 'b' }],
  ['a name without its file', `write('c', 'c'); sync('.')`, { a: 'a', b: 'b', c: '' }],
  ['a rename', `write('c', 'c'); sync('c'); fs.renameSync('c', 'a')`, { a: 'a', b: 'b' }],
  ['a removal', `fs.unlinkSync('a')`, { a: 'a', b: 'b' }],
  [
    'a file in a folder without a name',
    `fs.mkdirSync('d'); write('d/e', 'e'); sync('d/e'); sync('d')`,
    { a: 'a', b: 'b' },
  ],
  ['a file whose place another takes', `fs.unlinkSync('a'); write('c', 'c'); sync('c')`, { a: 'a', b: 'b' }],
])('%s is lost when it is not synced', async (_, code, left) => {
  const disk = await freshDisk()
  writeFileSync(join(disk.folder, 'a'), 'a')
  writeFileSync(join(disk.folder, 'b'), 'b')
  await runAndCut(disk, code)
  expect(contents(disk)).toEqual(left)
})

test.each<[string, string, Record<string, string>]>([
  ['a rename', `write('c', 'c'); sync('c'); fs.renameSync('c', 'a'); sync('.')`, { a: 'c' }],
  ['a removal', `fs.unlinkSync('a'); sync('.')`, {}],
  ['a folder', `fs.mkdirSync('d'); write('d/e', 'e'); sync('d/e'); sync('d'); sync('.')`, { a: 'a', 'd/e': 'e' }],
  ['a shorter file', `fs.truncateSync('a'); sync('a')`, { a: '' }],
  [
    'a file for writing only',
    `const fd = fs.openSync('a', 'w'); fs.writeSync(fd, 'A'); fs.fdatasyncSync(fd)`,
    { a: 'A' },
  ],
])('%s is kept when it is synced', async (_, code, left) => {
  const disk = await freshDisk()
  writeFileSync(join(disk.folder, 'a'), 'a', { mode: 0o640 })
  await runAndCut(disk, code)
  expect(contents(disk)).toEqual(left)
  if ('a' in left && left.a === 'a') expect(statSync(join(disk.folder, 'a')).mode & 0o777).toBe(0o640)
})

test('a disk that lies keeps nothing', async () => {
  const disk = await freshDisk()
  await runAndCut(disk, `write('a', 'a'); sync('a'); sync('.')`, { lies: true })
  expect(contents(disk)).toEqual({})
  expect(disk.syncs()).toEqual([])
})

test('what was not synced may be kept in part: whole sectors, of before or after', async () => {
  const seen = new Set<string>()
  for (let seed = 0; seed < 8; seed++) {
    const disk = await freshDisk()
    writeFileSync(join(disk.folder, 'a'), 'a'.repeat(1024))
    await runAndCut(disk, `write('a', 'A'.repeat(1536)); write('b', 'b')`, { kept: new Random(seed) })
    const { a = '', b } = contents(disk)
    const sectors = Array.from({ length: a.length / 512 }, (_, n) => a.slice(512 * n, 512 * (n + 1)))
    for (const [n, sector] of sectors.entries()) {
      expect(['A', n < 2 ? 'a' : '\0'].map((char) => char.repeat(512))).toContain(sector)
    }
    seen.add(sectors.map((sector) => sector[0]).join(''))
    expect([undefined, '', 'b', '\0']).toContain(b)
  }
  expect(seen.size).toBeGreaterThan(2)
})

test('a process that it starts is not looked at, and writes to no image', async () => {
  const disk = await freshDisk()
  const printed = await runAndCut(
    disk,
    `write('a', 'a'); sync('a'); sync('.'); console.log(child_process.execFileSync('printenv', { encoding: 'utf8' }).includes('LD_PRELOAD'))`,
  )
  expect(printed).toBe('false\n')
  expect(contents(disk)).toEqual({ a: 'a' })
})

test('its files go with it', async () => {
  const disk = await startDisk()
  disk.remove()
  expect(existsSync(disk.folder)).toBe(false)
})
