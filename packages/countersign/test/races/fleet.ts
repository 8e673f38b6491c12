import { type ChildProcess, fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { WorkerSetup } from './worker.ts'

/** Several worker processes on one store. */
export interface Fleet {
  readonly size: number
  /** Makes every worker run the same call, all starting at one moment. Answers one result per worker. */
  all<T>(call: string, args: (worker: number) => object): Promise<T[]>
  /** The same, without waiting for a common moment. */
  ask<T>(call: string): Promise<T[]>
  stop(): Promise<void>
}

/** Time for every worker to have received the call before the moment comes. */
const LEAD_MS = 60

export async function startFleet(size: number, setup: WorkerSetup): Promise<Fleet> {
  const workers = await Promise.all(Array.from({ length: size }, () => startWorker(setup)))
  let count = 0
  const send = <T>(worker: ChildProcess, call: string, args: object, at?: number): Promise<T> =>
    new Promise((resolve, reject) => {
      const id = ++count
      const onMessage = (message: { id: number; result: T; error?: string }) => {
        if (message.id !== id) return
        worker.off('message', onMessage)
        worker.off('exit', onExit)
        if (message.error === undefined) resolve(message.result)
        else reject(new Error(message.error))
      }
      const onExit = () => reject(new Error(`a worker ended during ${call}`))
      worker.on('message', onMessage)
      worker.once('exit', onExit)
      worker.send({ id, call, args, ...(at !== undefined && { at }) })
    })
  return {
    size,
    all: (call, args) => {
      const at = Date.now() + LEAD_MS
      return Promise.all(workers.map((worker, index) => send<never>(worker, call, args(index), at)))
    },
    ask: (call) => Promise.all(workers.map((worker) => send<never>(worker, call, {}))),
    async stop() {
      await Promise.all(workers.map((worker) => send(worker, 'close', {}).catch(() => undefined)))
      await Promise.all(
        workers.map(
          (worker) =>
            new Promise<void>((resolve) => {
              if (worker.exitCode !== null) return resolve()
              worker.once('exit', () => resolve())
              worker.disconnect()
            }),
        ),
      )
    },
  }
}

function startWorker(setup: WorkerSetup): Promise<ChildProcess> {
  return new Promise((resolve, reject) => {
    const worker = fork(fileURLToPath(new URL('./worker.ts', import.meta.url)), {
      execArgv: ['--import', 'tsx'],
      env: { ...process.env, RACE_WORKER: JSON.stringify(setup) },
    })
    worker.once('message', () => resolve(worker))
    worker.once('error', reject)
    worker.once('exit', (code) => reject(new Error(`a worker ended with ${code} before it was ready`)))
  })
}
