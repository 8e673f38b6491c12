import { CountersignError, type ErrorCode } from '../../internal/errors.ts'

// Primary result codes, https://www.sqlite.org/rescode.html. An extended code carries the primary one in its low byte.
const BUSY = 5
const LOCKED = 6
const CORRUPT = 11
const NOT_A_DATABASE = 26

/** Somebody else holds the lock that a statement needed. Nothing was executed. */
export function isBusy(error: unknown): boolean {
  const code = resultCode(error)
  return code === BUSY || code === LOCKED
}

/** What a store throws for what its driver threw. Driver messages name tables and columns, never values. */
export function faultOf(error: unknown): Error {
  if (error instanceof CountersignError) return error
  const code = resultCode(error)
  // Not of the driver: a mistake in this program, which must not be dressed up as an outage.
  if (code === undefined) return error as Error
  if (code === CORRUPT || code === NOT_A_DATABASE) return fault('ERR_STORE_CORRUPT', 'the database is damaged', error)
  return fault('ERR_STORE_UNAVAILABLE', `the database did not work: ${(error as Error).message}`, error)
}

export function fault(code: ErrorCode, message: string, cause?: unknown, retryable?: boolean): CountersignError {
  // There is no server that could be silent: what another process holds up are writes, and reads go on.
  const answered = code === 'ERR_STORE_UNAVAILABLE' || code === 'ERR_STORE_TIMEOUT'
  const details = {
    store: 'sqlite',
    cause,
    ...(retryable !== undefined && { retryable }),
    ...(answered && { answered }),
  }
  return new CountersignError(code, message, details)
}

/** SQLite's primary result code. `undefined` when the error is not one of SQLite's. */
export function resultCode(error: unknown): number | undefined {
  const { code, errcode } = error as { code?: unknown; errcode?: unknown }
  return code === 'ERR_SQLITE_ERROR' && typeof errcode === 'number' ? errcode & 0xff : undefined
}
