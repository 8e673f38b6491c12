import { CountersignError, type ErrorCode, type ErrorDetails } from '../../internal/errors.ts'

/** What an error of the server means. https://www.postgresql.org/docs/current/errcodes-appendix.html */
interface Refusal {
  readonly code: ErrorCode
  readonly says: string
  /** Worth another try at once: it passes by itself. */
  readonly passes?: boolean
  /** The connection is of no use any more. */
  readonly breaks?: boolean
  /** The server went away with the statement: whether it was executed is not known. Everything else was undone. */
  readonly isUnknown?: boolean
}

const unavailable = (says: string, more: Partial<Refusal> = {}): Refusal => ({
  code: 'ERR_STORE_UNAVAILABLE',
  says,
  ...more,
})
const misconfigured = (says: string): Refusal => ({ code: 'ERR_STORE_MISCONFIGURED', says })
const timeout = (says: string): Refusal => ({ code: 'ERR_STORE_TIMEOUT', says })

const SCHEMA_MISSING = misconfigured('the schema is missing or of another release; "ready" makes it')
const REFUSALS: Readonly<Record<string, Refusal>> = {
  '40001': unavailable('the transaction lost against others', { passes: true }),
  '40P01': unavailable('the transaction was in a deadlock', { passes: true }),
  // A prepared statement whose tables have changed since. A new connection prepares it anew.
  '0A000': unavailable('a prepared statement is out of date', { passes: true, breaks: true }),
  '57014': timeout('the statement was cancelled, as by statement_timeout'),
  '55P03': timeout('a lock was not had in time'),
  '25P03': unavailable('the connection was idle for too long', { breaks: true, isUnknown: true }),
  '57P01': unavailable('the server is shutting down', { breaks: true, isUnknown: true }),
  '57P02': unavailable('the server has crashed', { breaks: true, isUnknown: true }),
  '57P03': unavailable('the server is still starting', { breaks: true }),
  '57P05': unavailable('the connection was idle for too long', { breaks: true, isUnknown: true }),
  // After a failover: another connection may find the new primary.
  '25006': unavailable('the server is read-only', { breaks: true }),
  '42P01': SCHEMA_MISSING,
  '42703': SCHEMA_MISSING,
  '42704': SCHEMA_MISSING,
  '42883': SCHEMA_MISSING,
  '3F000': SCHEMA_MISSING,
  '42P07': misconfigured('the schema holds tables of another application; Countersign needs a schema of its own'),
  '42501': misconfigured('the user may not do something that Countersign needs'),
  '26000': misconfigured('prepared statements do not survive this pooler; give "prepared: false"'),
  '42P05': misconfigured('prepared statements do not survive this pooler; give "prepared: false"'),
  '08P01': misconfigured('the server or pooler does not take what is sent; behind a pooler give "prepared: false"'),
  '3D000': misconfigured('the database does not exist'),
  '28000': misconfigured('the server refused the user'),
  '28P01': misconfigured('the server refused user or password'),
  CS001: misconfigured('transactions are not READ COMMITTED; reset default_transaction_isolation'),
  CS002: { code: 'ERR_STORE_CORRUPT', says: 'replaced sessions lead in a circle' },
  XX001: { code: 'ERR_STORE_CORRUPT', says: 'the data of the server is damaged' },
  XX002: { code: 'ERR_STORE_CORRUPT', says: 'an index of the server is damaged' },
}
const CLASSES: Readonly<Record<string, Refusal>> = {
  '08': unavailable('the connection failed', { breaks: true, isUnknown: true }),
  '53': unavailable('the server lacks disk, memory or connections'),
  '54': { code: 'ERR_INPUT_INVALID', says: 'a value is longer than the database takes' },
  '57': unavailable('the server was interrupted', { breaks: true, isUnknown: true }),
  '58': unavailable('the server could not read or write its files'),
}
const UNKNOWN = unavailable('the server answered with an error')

/** The SQLSTATE of an error that the server sent; `undefined` for one of the socket or of this program. */
export function sqlState(error: unknown): string | undefined {
  const { code, severity } = (error ?? {}) as { code?: unknown; severity?: unknown }
  return typeof severity === 'string' && typeof code === 'string' && /^[0-9A-Z]{5}$/.test(code) ? code : undefined
}

function refusalOf(state: string): Refusal {
  return REFUSALS[state] ?? CLASSES[state.slice(0, 2)] ?? UNKNOWN
}

/** What has to be done about an error besides telling the caller. */
export function verdictOf(error: unknown): {
  readonly passes: boolean
  readonly breaks: boolean
  /** The connection broke with the statement under way. */
  readonly isLost: boolean
} {
  const state = sqlState(error)
  if (state === undefined) return { passes: false, breaks: true, isLost: true }
  const { passes = false, breaks = false, isUnknown = false } = refusalOf(state)
  return { passes, breaks, isLost: isUnknown }
}

/**
 * The fault for what a query threw. The server's text is not passed on: it quotes values and connection settings. The
 * SQLSTATE and the place in our own function are enough to look it up.
 */
export function faultOf(error: unknown): Error {
  // A mistake in this program must not be dressed up as an outage.
  if (error instanceof CountersignError || error instanceof TypeError || error instanceof RangeError) return error
  const state = sqlState(error)
  if (state === undefined) return lostFault(error)
  const { code, says, isUnknown, breaks } = refusalOf(state)
  const where = /function (?:\w+\.)?(\w+)\([^)]*\) line (\d+)/.exec(String((error as { where?: unknown }).where))
  const place = where ? ` at ${where[1]}:${where[2]}` : ''
  // An error undoes the whole statement, so what may pass may be tried again.
  const mayPass = code === 'ERR_STORE_UNAVAILABLE' || code === 'ERR_STORE_TIMEOUT'
  return fault(code, `Postgres: ${says} (${state}${place})`, {
    ...(mayPass && !isUnknown && { retryable: true }),
    // What ends connections says nothing of the next one.
    ...(mayPass && !breaks && { answered: true }),
  })
}

/** Not connected: nothing was sent. */
export function offlineFault(cause?: unknown): Error {
  if (cause instanceof CountersignError) return cause
  const state = sqlState(cause)
  if (state !== undefined) return faultOf(cause)
  return fault('ERR_STORE_UNAVAILABLE', 'Postgres: there is no connection', { retryable: true, ...causeOf(cause) })
}

/** Reads of a standby may be from before a revocation, so nothing is asked of it. */
export function standbyFault(): CountersignError {
  const message = 'Postgres: the server is a standby, and Countersign needs the primary'
  return fault('ERR_STORE_UNAVAILABLE', message, { retryable: true })
}

/** The start found no server in all the time that it allows itself. */
export function unreachableFault(place: string, withinMs: number, last: unknown): CountersignError {
  const message = `Postgres at ${place} could not be used within ${withinMs / 1_000} s`
  return fault('ERR_STORE_UNAVAILABLE', message, { retryable: true, cause: last })
}

export function notReadyFault(): CountersignError {
  return fault('ERR_STORE_UNAVAILABLE', 'the Postgres store is not ready: call "ready" first', { retryable: true })
}

/** The connection broke with the statement under way: whether it was executed is unknown. */
function lostFault(cause: unknown): CountersignError {
  return fault('ERR_STORE_UNAVAILABLE', 'Postgres: the connection broke before the answer', causeOf(cause))
}

/** No answer in time: whether the statement was executed is unknown. */
export function timeoutFault(): CountersignError {
  return fault('ERR_STORE_TIMEOUT', 'Postgres: no answer within the deadline')
}

/** The deadline passed while others were served, or between two tries: nothing was executed. */
export function busyFault(): CountersignError {
  return fault('ERR_STORE_TIMEOUT', 'Postgres: others were served until the deadline', { retryable: true })
}

export function closedFault(): CountersignError {
  return fault('ERR_CLOSED', 'the Postgres store is closed')
}

export function corruptFault(what: string): CountersignError {
  return fault('ERR_STORE_CORRUPT', `${what} in Postgres cannot be read`)
}

export function misconfiguredFault(problem: string): CountersignError {
  return fault('ERR_STORE_MISCONFIGURED', `the Postgres server ${problem}`)
}

function fault(code: ErrorCode, message: string, details: ErrorDetails = {}) {
  return new CountersignError(code, message, { store: 'postgres', ...details })
}

/** Errors of the socket have a code and no text of the server or of the URL. Others could quote anything. */
function causeOf(error: unknown): { readonly cause?: unknown } {
  const code = (error as { code?: unknown } | undefined)?.code
  return typeof code === 'string' && /^E[A-Z_]+$/.test(code) ? { cause: error } : {}
}
