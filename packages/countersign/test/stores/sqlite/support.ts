import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { onTestFinished } from 'vitest'
import { loadDriver } from '../../../src/stores/sqlite/driver.ts'

/** A path in a new folder, which goes when the test has finished. */
export function freshFile(): string {
  const folder = mkdtempSync(join(tmpdir(), 'countersign-sqlite-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  return join(folder, 'data', 'sessions.db')
}

export interface Child {
  readonly process: ChildProcess
  readonly lines: readonly string[]
  /** Resolves when it has written so many lines; rejects when it ends before. */
  said(count: number): Promise<void>
  readonly ended: Promise<{ readonly code: number | null; readonly signal: string | null }>
}

/** Runs a job of child.ts. */
export function startChild(job: string, ...args: string[]): Child {
  return startScript(new URL('child.ts', import.meta.url), [job, ...args])
}

/** Runs a script in a process of its own, which does not outlive the test. */
export function startScript(script: URL, args: readonly string[], env: NodeJS.ProcessEnv = {}): Child {
  const child = spawn(process.execPath, ['--import', 'tsx', fileURLToPath(script), ...args], {
    stdio: ['pipe', 'pipe', 'inherit'],
    env: { ...process.env, ...env },
  })
  const lines: string[] = []
  const waiting: (() => void)[] = []
  let isOver = false
  const wake = () => {
    for (const resolve of waiting.splice(0)) resolve()
  }
  createInterface({ input: child.stdout }).on('line', (line) => {
    lines.push(line)
    wake()
  })
  const ended = new Promise<{ code: number | null; signal: string | null }>((resolve) => {
    child.once('close', (code, signal) => {
      isOver = true
      wake()
      resolve({ code, signal })
    })
  })
  onTestFinished(async () => {
    if (!isOver) child.kill('SIGKILL')
    await ended
  })
  return {
    process: child,
    lines,
    ended,
    async said(count) {
      while (lines.length < count) {
        if (isOver) throw new Error(`the child ended after ${lines.length} lines`)
        await new Promise<void>((resolve) => waiting.push(resolve))
      }
    },
  }
}

/** Looks into the file past the store. */
export async function query(file: string, sql: string): Promise<Record<string, unknown>[]> {
  const { DatabaseSync } = await loadDriver()
  const database = new DatabaseSync(file)
  try {
    return database.prepare(sql).all() as Record<string, unknown>[]
  } finally {
    database.close()
  }
}

export async function execute(file: string, sql: string): Promise<void> {
  const { DatabaseSync } = await loadDriver()
  const database = new DatabaseSync(file)
  try {
    database.exec(sql)
  } finally {
    database.close()
  }
}
