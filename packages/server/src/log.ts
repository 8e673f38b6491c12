import { CountersignError, type Keyring, pseudonym, type SessionEvent } from 'countersign'
import type { AccountEvent } from 'countersign/accounts'
import type { OneTimeEvent } from 'countersign/one-time'
import { type DestinationStream, type Logger, pino } from 'pino'

/** Turns a session id, or what somebody typed as identifier, into something that can be followed but not used. */
export type Blur = (text: string) => string

/** The keyed hash under which logs show ids and names: the same on every server of one deployment. */
export function blurWith(keyring: Keyring): Blur {
  return (text) => pseudonym(keyring, text)
}

/**
 * The log: JSON lines, UTC. Nothing here logs a request's headers or body; the redaction is a second lock on that door.
 */
export function createLog(level: string, destination: DestinationStream): Logger {
  const secrets = [
    'password',
    'currentPassword',
    'newPassword',
    'accessToken',
    'refreshToken',
    'token',
    'client_assertion',
    'authorization',
    'cookie',
  ]
  return pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      // What Fastify itself logs: never a request or response, and of errors only what cannot hold a secret.
      // Not `err`: under this key pino copies the message of an error into the line.
      errorKey: 'none',
      serializers: { req: () => undefined, res: () => undefined, err: describeError },
      redact: { paths: secrets.flatMap((name) => [name, `*.${name}`, `*.*.${name}`]), censor: '[redacted]' },
    },
    destination,
  )
}

/** An error without its message, unless the message is known to hold no secret. */
export function describeError(error: unknown): Record<string, unknown> {
  if (!(error instanceof Error)) return { name: typeof error }
  const { code } = error as NodeJS.ErrnoException
  const named = { name: error.name, ...(code !== undefined && { code }) }
  if (error instanceof CountersignError) return { ...named, message: error.message, store: error.store }
  const places = (error.stack ?? '').split('\n').filter((line) => /^\s+at /.test(line))
  return { ...named, at: places.slice(0, 8).map((line) => line.trim()) }
}

/** An event as it is logged: ids blurred, text of the client's making kept on one line. */
export function loggable(event: SessionEvent | AccountEvent | OneTimeEvent, blur: Blur): Record<string, unknown> {
  const { type, at, context, ...rest } = event
  const more: Record<string, unknown> = { ...rest }
  for (const id of ['sessionId', 'replaces']) if (typeof more[id] === 'string') more[id] = blur(more[id])
  if (typeof more.firstOrigin === 'object') more.firstOrigin = oneLine(more.firstOrigin as Record<string, unknown>)
  return {
    event: type,
    at,
    ...more,
    ...(context && oneLine(context)),
  }
}

/** JSON escapes control characters, but not those that some viewers take for the end of a line (ASVS 16.4.1). */
function oneLine(texts: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(texts).map(([name, text]) => [
      name,
      typeof text === 'string' ? text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, '\ufffd').slice(0, 256) : text,
    ]),
  )
}
