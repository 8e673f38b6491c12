// The library in a process of its own, for scenarios that kill it or give it another clock. One call at a time, over the
// channel to the process that started it.
import { type ChildProcess, fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { type Duration, loadKeyring } from 'countersign'
import { redisStore } from 'countersign/stores/redis'
import { openSessions } from './clients.ts'

interface Setup {
  readonly url: string
  readonly keyring: object
  readonly grace?: Duration
  readonly absolute?: Duration
}

type Call = 'verify' | 'refresh' | 'now'

export interface Worker {
  readonly process: ChildProcess
  /** What the call gave, without secrets but the ones asked for. */
  ask(call: Call, token?: string): Promise<{ ok?: boolean; reason?: string; refreshToken?: string; nowMs?: number }>
}

export async function startWorker(setup: Setup, env: NodeJS.ProcessEnv = {}): Promise<Worker> {
  const child = fork(fileURLToPath(import.meta.url), {
    execArgv: ['--import', 'tsx'],
    env: { ...process.env, ...env, FAULTS_WORKER: JSON.stringify(setup) },
  })
  await new Promise<void>((resolve, reject) => {
    child.once('message', () => resolve())
    child.once('exit', (code) => reject(new Error(`a worker ended with ${code} before it was ready`)))
  })
  const ask: Worker['ask'] = (call, token) =>
    new Promise((resolve, reject) => {
      child.once('message', (answer: { error?: string }) =>
        answer.error === undefined ? resolve(answer as never) : reject(new Error(answer.error)),
      )
      child.once('exit', () => reject(new Error('the worker has ended')))
      child.send({ call, token })
    })
  return { process: child, ask }
}

async function main({ url, keyring, grace = '10s', absolute = '1d' }: Setup): Promise<void> {
  const sessions = openSessions({ store: redisStore({ url }), keyring: await loadKeyring(keyring), grace, absolute })
  await sessions.ready()
  const calls = {
    verify: async (token: string) => sessions.verifyNow(token) ?? (await sessions.verify(token)),
    refresh: (token: string) => sessions.refresh(token),
    now: async () => ({ nowMs: Date.now() }),
  }
  process.on('message', async ({ call, token }: { call: Call; token: string }) => {
    try {
      const { ok, reason, refreshToken, nowMs } = (await calls[call](token)) as never
      process.send!({ ok, reason, refreshToken, nowMs })
    } catch (error) {
      process.send!({ error: String(error) })
    }
  })
  process.on('disconnect', () => process.exit())
  process.send!('ready')
}

if (process.env.FAULTS_WORKER !== undefined) await main(JSON.parse(process.env.FAULTS_WORKER) as Setup)
