import type { StoreDurability } from '../contract.ts'
import type { Row } from './driver.ts'
import { misconfiguredFault } from './faults.ts'

/** The oldest server that this store works on, as `server_version_num` has it. */
const OLDEST = 130_000

/**
 * The start check, for what cannot be put right while running.
 *
 * @param server - The row of the statement `readServer`.
 * @throws CountersignError `ERR_STORE_MISCONFIGURED` when the server cannot be used at all.
 */
export function checkServer(server: Row): void {
  const version = server.version as number
  if (version < OLDEST) {
    throw misconfiguredFault(`is PostgreSQL ${Math.floor(version / 10_000)}; 13 or newer is needed`)
  }
  if (server.is_standby !== false) throw misconfiguredFault('is a standby; Countersign needs the primary')
  if (server.encoding !== 'UTF8') {
    throw misconfiguredFault(`has a database of encoding ${String(server.encoding)}; UTF8 is needed`)
  }
  if (server.isolation !== 'read committed') {
    throw misconfiguredFault(`begins transactions as ${String(server.isolation)}; reset default_transaction_isolation`)
  }
}

export interface ServerVerdict {
  /** What is weaker than promised, and by which setting. `docs/operations.md` has the settings to use. */
  readonly warnings: readonly string[]
  readonly durability: StoreDurability
}

/**
 * What a write is worth just now. `synchronous_commit` is not looked at, because each step sees to it itself. Warnings
 * name the promise of the README that is weakened.
 *
 * @param settings - The row of the statement `readFloor`.
 */
export function judgeSettings(settings: Row): ServerVerdict {
  const warnings: string[] = []
  for (const name of ['fsync', 'full_page_writes']) {
    if (settings[name] !== 'on')
      warnings.push(
        `${name} is ${String(settings[name])}, not on: a crash of the machine may damage the database, bring revoked sessions back (promise 3) and lose acknowledged writes (promise 4)`,
      )
  }
  const durability = warnings.length === 0 ? 'fsynced' : 'local'
  if (settings.statement_timeout === '0')
    warnings.push(
      'statement_timeout is 0: a statement whose caller has given up goes on waiting for locks in the server and keeps its connection (promise 6)',
    )
  return { warnings, durability }
}
