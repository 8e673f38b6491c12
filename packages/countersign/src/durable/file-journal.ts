import { type FileHandle, mkdir, open, readFile, rename, unlink } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { CountersignError, invalidOption } from '../internal/errors.ts'
import type { Journal } from './journal.ts'

/** Files that are open in this process. */
const opened = new Set<string>()

/**
 * A journal in a file of its own, readable by its owner only, on a local disk. Every line is on the disk before what it
 * stands for is answered; lines that come while the disk is busy share the next sync. Beside it lies `<file>.lock` with
 * the process that has it.
 *
 * @throws CountersignError `ERR_CONFIG_INVALID` when `file` is no path. `open`: `ERR_CONFIG_INVALID` when another process
 * that is alive has the file: each process needs one of its own.
 */
export function fileJournal(options: { readonly file: string }): Journal {
  const { file, ...unknown } = options
  const [stray] = Object.keys(unknown)
  if (stray !== undefined) throw invalidOption(stray, 'is not an option of fileJournal')
  if (typeof file !== 'string' || file === '' || file.includes('\0')) throw invalidOption('file', 'must be a path')
  const path = resolve(file)
  let handle: FileHandle | undefined
  let pending: { readonly text: string; readonly done: () => void; readonly failed: (error: unknown) => void }[] = []
  /** One thing at a time, in the order of the calls. */
  let last: Promise<unknown> = Promise.resolve()
  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    const turn = last.then(work)
    last = turn.catch(() => {})
    return turn
  }
  const flush = async () => {
    const batch = pending
    pending = []
    if (batch.length === 0) return
    try {
      if (!handle) throw new CountersignError('ERR_CLOSED', 'the journal is closed')
      await handle.appendFile(batch.map(({ text }) => text).join(''))
      await handle.datasync()
      for (const { done } of batch) done()
    } catch (error) {
      for (const { failed } of batch) failed(error)
    }
  }

  return {
    open: () =>
      inTurn(async () => {
        await mkdir(dirname(path), { recursive: true, mode: 0o700 })
        await lock(path)
        try {
          const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
            if (error.code === 'ENOENT') return undefined
            throw error
          })
          // What follows the last line break was cut off by a crash, and never acknowledged.
          const lines = (text ?? '').split('\n').slice(0, -1)
          if (!text?.endsWith('\n')) await rewrite(path, lines)
          handle = await open(path, 'a', 0o600)
          return lines
        } catch (error) {
          await unlock(path)
          throw error
        }
      }),
    append(lines) {
      if (lines.length === 0) return Promise.resolve()
      return new Promise((done, failed) => {
        pending.push({ text: lines.map((line) => `${line}\n`).join(''), done, failed })
        void inTurn(flush)
      })
    },
    replace: (lines) =>
      inTurn(async () => {
        await rewrite(path, lines)
        await handle?.close()
        handle = await open(path, 'a', 0o600)
      }),
    close: () =>
      inTurn(async () => {
        if (!handle) return
        await handle.close()
        handle = undefined
        await unlock(path)
      }),
  }
}

/** All or nothing: a new file that takes the place of the old one once it is on the disk. */
async function rewrite(path: string, lines: readonly string[]): Promise<void> {
  const next = await open(`${path}.new`, 'w', 0o600)
  try {
    await next.writeFile(lines.map((line) => `${line}\n`).join(''))
    await next.sync()
  } finally {
    await next.close()
  }
  await rename(`${path}.new`, path)
  const folder = await open(dirname(path), 'r')
  await folder.sync().finally(() => folder.close())
}

async function lock(path: string): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      const handle = await open(`${path}.lock`, 'wx', 0o600)
      await handle.writeFile(String(process.pid)).finally(() => handle.close())
      opened.add(path)
      return
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST' || attempt > 3) throw error
    }
    const owner = Number(await readFile(`${path}.lock`, 'utf8').catch(() => '0'))
    if (opened.has(path) || (owner !== process.pid && isAlive(owner))) {
      throw new CountersignError('ERR_CONFIG_INVALID', `"file" of the journal is in use by process ${owner}`)
    }
    // Of a process that was killed.
    await unlink(`${path}.lock`).catch(() => {})
  }
}

async function unlock(path: string): Promise<void> {
  opened.delete(path)
  await unlink(`${path}.lock`).catch(() => {})
}

function isAlive(pid: number): boolean {
  if (!Number.isInteger(pid) || pid <= 0) return false
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}
