import type { ServerSession } from './kit.ts'

/** A place in a list of sessions: it stays right when the session there ends meanwhile. */
interface Cursor {
  readonly createdAtMs: number
  readonly id: string
}

/** Opaque to callers. */
export function cursorOf({ createdAtMs, sessionId }: ServerSession): string {
  return Buffer.from(`${createdAtMs}.${sessionId}`).toString('base64url')
}

/** `null` for anything that {@link cursorOf} did not make. */
export function readCursor(text: string): Cursor | null {
  const [, createdAtMs, id] = /^(\d{1,15})\.([\w-]{34})$/.exec(Buffer.from(text, 'base64url').toString('latin1')) ?? []
  return createdAtMs === undefined || id === undefined ? null : { createdAtMs: Number(createdAtMs), id }
}

/** Whether a session comes later in the order of `list`: creation time, then id. */
export function isAfter(session: ServerSession, cursor: Cursor): boolean {
  const { createdAtMs, sessionId } = session
  return createdAtMs > cursor.createdAtMs || (createdAtMs === cursor.createdAtMs && sessionId > cursor.id)
}
