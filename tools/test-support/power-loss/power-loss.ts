// A loss of power, for one process: it is killed, and its files become what the disk held at that moment. What counts as
// being on the disk says the head of disk.c, which is loaded into the process.
import { execFile } from 'node:child_process'
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { Random } from '../random.ts'

/** A disk writes whole sectors, in any order. */
const SECTOR = 512

export interface Sync {
  /** Bytes that were not on the disk before. */
  readonly bytes: number
  /** Below the folder, such as `./data/sessions.db-wal`; `.` is the folder. */
  readonly path: string
}

export interface Disk {
  /** The folder whose files may be lost. */
  readonly folder: string
  /**
   * Variables for the next process that writes there. What is there when it starts counts as being on the disk.
   *
   * @param lies - The disk says that it has synced, and has not.
   */
  plugIn(options?: { lies?: boolean }): NodeJS.ProcessEnv
  /** What that process has synced so far. */
  syncs(): Sync[]
  /**
   * Leaves in the folder what is on the disk. Call it when the process has been killed.
   *
   * @param kept - Of what was written and not synced, chance keeps some: sector by sector, and name by name. Without
   * it nothing of that is left.
   */
  cutPower(kept?: Random): void
  remove(): void
}

let library: Promise<Buffer> | undefined

/** A folder whose power can be cut. */
export async function startDisk(): Promise<Disk> {
  library ??= build()
  const bytes = await library
  const base = mkdtempSync(join(tmpdir(), 'countersign-power-'))
  const preload = join(base, 'disk.so')
  writeFileSync(preload, bytes)
  const folder = join(base, 'live')
  const images = join(base, 'disk')
  let place = join(base, 'place-0')
  let places = 0
  /**
   * `folder` leads to a new place before each process and after each loss. A driver that lets go of a closed database only
   * when its garbage is collected may remove a log by its path, then, and that must not be the log of somebody else.
   */
  const moveTo = (fill: (next: string) => void) => {
    const next = join(base, `place-${++places}`)
    fill(next)
    rmSync(folder)
    symlinkSync(next, folder)
    rmSync(place, { recursive: true, force: true })
    place = next
  }
  mkdirSync(place)
  symlinkSync(place, folder)
  return {
    folder,
    plugIn({ lies = false } = {}) {
      rmSync(images, { recursive: true, force: true })
      mkdirSync(images)
      moveTo((next) => renameSync(place, next))
      const more = lies ? { POWER_LOSS_LIES: '1' } : {}
      return { LD_PRELOAD: preload, POWER_LOSS_ROOT: folder, POWER_LOSS_DISK: images, ...more }
    },
    syncs() {
      const lines = readIfThere(join(images, 'syncs')).toString().split('\n').slice(0, -1)
      return lines.map((line) => {
        const [bytes = '', ...path] = line.split(' ')
        return { bytes: Number(bytes), path: path.join(' ') }
      })
    },
    cutPower(kept) {
      moveTo((next) => restore(statSync(place).ino, next, { images, live: pathsByInode(place), kept }))
    },
    remove: () => rmSync(base, { recursive: true, force: true }),
  }
}

/** disk.c as a shared library. */
async function build(): Promise<Buffer> {
  if (process.platform !== 'linux') throw new Error('a loss of power can only be played on Linux: it takes LD_PRELOAD')
  const folder = mkdtempSync(join(tmpdir(), 'countersign-disk-'))
  const made = join(folder, 'disk.so')
  const source = fileURLToPath(new URL('disk.c', import.meta.url))
  try {
    await promisify(execFile)('cc', ['-Wall', '-Wextra', '-O2', '-shared', '-fPIC', '-o', made, source])
    return readFileSync(made)
  } catch (error) {
    const { code, stderr = '' } = error as { code?: unknown; stderr?: string }
    const isMissing = code === 'ENOENT' || /\.h: No such file/.test(stderr)
    if (!isMissing) throw error
    const message = 'no C compiler with its headers; these tests need one: apt-get install gcc libc6-dev'
    throw new Error(message, { cause: error })
  } finally {
    rmSync(folder, { recursive: true })
  }
}

interface Loss {
  readonly images: string
  /** Of every file and folder that was there before. */
  readonly live: ReadonlyMap<number, string>
  readonly kept: Random | undefined
}

interface Entry {
  readonly inode: number
  readonly isFolder: boolean
  readonly mode: number
}

/** Makes the folder of that inode anew, as `path`. */
function restore(inode: number, path: string, loss: Loss): void {
  const before = loss.live.get(inode)
  const mode = before === undefined ? 0o700 : statSync(before).mode & 0o7777
  mkdirSync(path)
  for (const [name, entry] of namesIn(inode, loss)) {
    if (entry.isFolder) restore(entry.inode, join(path, name), loss)
    else writeFileSync(join(path, name), contentOf(entry.inode, loss), { mode: entry.mode })
  }
  chmodSync(path, mode)
}

function namesIn(inode: number, { images, live, kept }: Loss): Map<string, Entry> {
  const durable = new Map<string, Entry>()
  for (const line of readIfThere(join(images, 'folder', String(inode)))
    .toString()
    .split('\n')
    .slice(0, -1)) {
    const [, number, kind, mode, name] = /^(\d+) ([fd]) (\d+) (.*)$/.exec(line)!
    durable.set(name!, { inode: Number(number), isFolder: kind === 'd', mode: Number.parseInt(mode!, 8) })
  }
  const path = live.get(inode)
  if (!kept || path === undefined) return durable
  const unsynced = new Map<string, Entry>()
  for (const name of readdirSync(path)) {
    const stats = statSync(join(path, name))
    unsynced.set(name, { inode: stats.ino, isFolder: stats.isDirectory(), mode: stats.mode & 0o7777 })
  }
  const names = new Map<string, Entry>()
  for (const name of new Set([...durable.keys(), ...unsynced.keys()])) {
    const entry = (kept.chance(2) ? unsynced : durable).get(name)
    if (entry) names.set(name, entry)
  }
  return names
}

function contentOf(inode: number, { images, live, kept }: Loss): Buffer {
  const durable = readIfThere(join(images, 'content', String(inode)))
  const path = live.get(inode)
  if (!kept || path === undefined) return durable
  const written = readFileSync(path)
  // The length is a write of its own. What was never written reads as zeros.
  const bytes = Buffer.alloc(kept.chance(2) ? written.length : durable.length)
  durable.copy(bytes)
  for (let at = 0; at < Math.min(bytes.length, written.length); at += SECTOR) {
    if (kept.chance(2)) written.copy(bytes, at, at, at + SECTOR)
  }
  return bytes
}

function pathsByInode(folder: string): Map<number, string> {
  const paths = [
    folder,
    ...readdirSync(folder, { recursive: true, encoding: 'utf8' }).map((name) => join(folder, name)),
  ]
  return new Map(paths.map((path) => [statSync(path).ino, path]))
}

function readIfThere(path: string): Buffer {
  try {
    return readFileSync(path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return Buffer.alloc(0)
    throw error
  }
}
