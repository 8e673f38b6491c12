// The servers of a row, for a group of questions.
import { randomUUID } from 'node:crypto'
import type { KeyringFile } from 'countersign'
import { isEnding } from '../../bench/harness/ending.ts'
import { NODE_TIMEOUT_MS, type Places } from '../harness/places.ts'
import { NotStarted, type Running, type StartOptions, startSide } from '../harness/processes.ts'
import type { Row } from '../rows.ts'
import type { StoreAt, Told } from '../sides/told.ts'
import type { Asked } from './asked.ts'
import { Client } from './client.ts'

/** What all rows of a run share. */
export interface Run {
  readonly places: Places
  readonly keyring: KeyringFile
  readonly secret: string
  readonly start?: StartOptions
}

export interface RowServers extends Asked {
  readonly processes: readonly Running[]
  stop(): Promise<void>
}

export type Settings = Pick<Told, 'alg' | 'accessSeconds' | 'nearCache'>
/** Tokens that end while one waits. */
export const SHORT: Settings = { alg: 'ES256', accessSeconds: 4, nearCache: true }
/** Tokens that do not. */
export const LONG: Settings = { alg: 'ES256', accessSeconds: 3_600, nearCache: true }

/** A machine that is too busy for a server to reach its store in ten seconds is given two more chances. */
const STARTS = 3

export async function startRow(
  run: Run,
  row: Row,
  settings: Settings,
  most?: number,
  store?: StoreAt,
): Promise<RowServers> {
  for (let time = 1; ; time++) {
    try {
      return await startOnce(run, row, settings, most, store)
    } catch (error) {
      const isRefusal = error instanceof NotStarted && /ERR_(?:CONFIG|KEY|STORE_MISCONFIGURED)/.test(error.message)
      if (isRefusal || isEnding() || time === STARTS) throw error
    }
  }
}

/** Two servers where they can share the store, else one. Who only verifies has an issuer beside it. */
async function startOnce(run: Run, row: Row, settings: Settings, most = 2, store?: StoreAt): Promise<RowServers> {
  const prefix = `lab-${row.id.replace(/\W/g, '-')}`.slice(0, 22) + randomUUID().slice(0, 8)
  const told: Told = {
    ...settings,
    ...(row.strategy && { strategy: row.strategy }),
    store: store ?? (await run.places.at(row.store, prefix)),
    prefix,
    keyring: run.keyring,
    secret: run.secret,
  }
  const processes: Running[] = []
  const start = async (side: string, more: Partial<Told> = {}) => {
    const running = await startSide(side, { ...told, ...more }, run.start)
    processes.push(running)
    return new Client(running.url)
  }
  const stop = async () => void (await Promise.all(processes.map((one) => one.stop())))
  try {
    const isShared = row.store !== 'memory' && row.store !== 'none'
    const isTwo = isShared && most > 1 && !row.verifiesOnly
    const [issuer, other] = await settled([
      start(row.verifiesOnly ? 'countersign.ts' : row.side),
      ...(isTwo ? [start(row.side)] : []),
    ])
    let checkers = other ? [issuer!, other] : [issuer!]
    if (row.verifiesOnly) checkers = [await start(row.side, { jwks: `${issuer!.url}/jwks.json` })]
    const { keyring, secret } = run
    return { row, issuer: issuer!, checkers, keyring, secret, boundMs: boundOf(row), processes, stop }
  } catch (error) {
    await stop()
    throw error
  }
}

/** Waits for all, also when one fails, so that none is left behind. */
export async function settled<T>(all: readonly Promise<T>[]): Promise<T[]> {
  await Promise.allSettled(all)
  return Promise.all(all)
}

/** The bound of the near cache, and what a busy machine and HTTP add to it. */
const SLACK_MS = 500
const boundOf = ({ store }: Row): number => 1_000 + SLACK_MS + (store === 'redis-cluster' ? NODE_TIMEOUT_MS : 0)
