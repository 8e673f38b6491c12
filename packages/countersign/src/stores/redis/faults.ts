import { CountersignError, type ErrorCode } from '../../internal/errors.ts'
import { unknownFormat } from '../../internal/format.ts'
import { RECORD_FORMAT } from '../../session/record.ts'

/** What an error reply of the server means, by its first word. All but the last group: nothing was executed. */
interface Refusal {
  readonly code: ErrorCode
  readonly says: string
  /** Worth another try at once: it passes by itself. */
  readonly passes?: boolean
  readonly executed?: 'unknown'
}

const unavailable = (says: string, passes: boolean): Refusal => ({ code: 'ERR_STORE_UNAVAILABLE', says, passes })
const misconfigured = (says: string): Refusal => ({ code: 'ERR_STORE_MISCONFIGURED', says })

const REFUSALS: Readonly<Record<string, Refusal>> = {
  TRYAGAIN: unavailable('the slot is being moved', true),
  CLUSTERDOWN: unavailable('the cluster is down', true),
  LOADING: unavailable('the server is still loading its data', true),
  READONLY: unavailable('the server is a read-only replica', true),
  MASTERDOWN: unavailable('the server has lost its primary', true),
  NOREPLICAS: unavailable('the server has too few replicas to accept writes', true),
  BUSY: unavailable('the server is busy with another script', true),
  OOM: unavailable('the memory of the server is full', false),
  MISCONF: unavailable('the server cannot write to its disk and refuses writes', false),
  NOAUTH: misconfigured('the server wants a password'),
  WRONGPASS: misconfigured('the server refused user or password'),
  NOPERM: misconfigured('the user may not run a command that Countersign needs'),
  MOVED: misconfigured('this is one node of a cluster, and a single server was expected'),
  ASK: misconfigured('this is one node of a cluster, and a single server was expected'),
  CSCORRUPT: { code: 'ERR_STORE_CORRUPT', says: 'a stored value cannot be read' },
  WRONGTYPE: { code: 'ERR_STORE_CORRUPT', says: 'a key holds another kind of value' },
}
const UNKNOWN: Refusal = {
  code: 'ERR_STORE_UNAVAILABLE',
  says: 'the server answered with an error',
  executed: 'unknown',
}

function refusalOf(reply: Error): Refusal {
  const word = /^[A-Z]+/.exec(reply.message)?.[0] ?? ''
  if (/^ERR unknown command/.test(reply.message))
    return misconfigured('the server lacks a command that Countersign needs')
  return Object.hasOwn(REFUSALS, word) ? REFUSALS[word]! : UNKNOWN
}

/** Whether the same request may be sent again at once: the server executed nothing, and the reason passes. */
export function passesSoon(reply: Error): boolean {
  return refusalOf(reply).passes === true
}

/**
 * The fault for an error reply. Its text is not passed on: some replies quote the arguments of the command, and those
 * are hashes and session ids. Our own word for a kind of error is enough to look it up.
 */
export function replyFault(reply: Error): CountersignError {
  const [, format] = /^CSFORMAT (\d+)/.exec(reply.message) ?? []
  if (format !== undefined) return unknownFormat('a value in Redis', Number(format), RECORD_FORMAT, 'redis')
  const { code, says, executed } = refusalOf(reply)
  const word = /^[A-Z]{2,16}\b/.exec(reply.message)?.[0] ?? 'ERR'
  const where = /user_script:\d+/.exec(reply.message)?.[0]
  return new CountersignError(code, `Redis: ${says} (${word}${where ? ` at ${where}` : ''})`, {
    store: 'redis',
    ...(code === 'ERR_STORE_UNAVAILABLE' && { answered: true }),
    ...(code === 'ERR_STORE_UNAVAILABLE' && !executed && { retryable: true }),
  })
}

/** The other side could not show who it is, or does not speak TLS: that does not get better by waiting. */
export function tlsFault(error: unknown): CountersignError | undefined {
  const code = (error as { code?: unknown } | null)?.code
  if (typeof code !== 'string' || !/^(ERR_TLS_|ERR_SSL_|CERT_|UNABLE_TO_|SELF_SIGNED_|DEPTH_ZERO_)/.test(code))
    return undefined
  const message = `Redis: the connection over TLS was not made (${code}); "tls" takes the certificate of an authority of your own`
  return new CountersignError('ERR_STORE_MISCONFIGURED', message, { store: 'redis', cause: error })
}

/** Not connected: nothing was sent. */
export function offlineFault(cause?: unknown): CountersignError {
  return new CountersignError('ERR_STORE_UNAVAILABLE', 'Redis: there is no connection', {
    store: 'redis',
    retryable: true,
    ...(cause !== undefined && { cause }),
  })
}

/** Every node says that another one has the slot: nothing was executed. */
export function disputedFault(): CountersignError {
  return new CountersignError(
    'ERR_STORE_UNAVAILABLE',
    'Redis: the nodes of the cluster disagree about who has the slot',
    {
      store: 'redis',
      retryable: true,
      answered: true,
    },
  )
}

/** The connection broke with the request under way: whether it was executed is unknown. */
export function lostFault(cause: unknown): CountersignError {
  return new CountersignError('ERR_STORE_UNAVAILABLE', 'Redis: the connection broke before the answer', {
    store: 'redis',
    cause,
  })
}

/** No answer in time: whether the request was executed is unknown. */
export function timeoutFault(): CountersignError {
  return new CountersignError('ERR_STORE_TIMEOUT', 'Redis: no answer within the deadline', { store: 'redis' })
}

export function closedFault(): CountersignError {
  return new CountersignError('ERR_CLOSED', 'the Redis store is closed', { store: 'redis' })
}
