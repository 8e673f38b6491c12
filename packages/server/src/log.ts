import { createHmac } from 'node:crypto'
import type { Keyring, SessionEvent } from 'countersign'
import { type DestinationStream, type Logger, pino } from 'pino'

/** Turns a session id, or what somebody typed as identifier, into something that can be followed but not used. */
export type Blur = (text: string) => string

/**
 * The salted hash under which logs show ids. Stable for one deployment, on every server of it, and different from any
 * other deployment's: the salt is the random name of its placement key.
 */
export function blurWith(keyring: Keyring): Blur {
  const placement = keyring.describe().find((key) => key.use === 'placement')
  const salt = `countersign-log-1:${placement!.kid}`
  return (text) => createHmac('sha256', salt).update(text).digest('base64url').slice(0, 16)
}

/**
 * The log: JSON lines, UTC. Nothing here logs a request's headers or body; the redaction is a second lock on that door.
 */
export function createLog(level: string, destination: DestinationStream): Logger {
  const secrets = ['password', 'currentPassword', 'newPassword', 'accessToken', 'refreshToken', 'authorization', 'cookie']
  return pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      redact: { paths: secrets.flatMap((name) => [name, `*.${name}`, `*.*.${name}`]), censor: '[redacted]' },
    },
    destination,
  )
}

/** A session event as it is logged: ids blurred, text of the client's making kept on one line. */
export function loggable(event: SessionEvent, blur: Blur): Record<string, unknown> {
  const { type, at, sessionId, context, ...rest } = event
  const more: Record<string, unknown> = { ...rest }
  if (typeof more.replaces === 'string') more.replaces = blur(more.replaces)
  if (typeof more.firstOrigin === 'object') more.firstOrigin = oneLine(more.firstOrigin as Record<string, unknown>)
  return {
    event: type,
    at,
    ...(sessionId !== undefined && { session: blur(sessionId) }),
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
