import type { Explanation, SessionId } from 'countersign'
import type { Kit } from './kit.ts'

/** Kinds that are credentials. An id is none. */
const CREDENTIALS: ReadonlySet<Explanation['kind']> = new Set(['access_token', 'opaque_token', 'refresh_token'])

/** The sessions that genuine tokens belong to, also when those have expired or their sessions are over. */
export async function sessionsBehind(kit: Kit, tokens: readonly string[]): Promise<ReadonlySet<SessionId>> {
  const ids = new Set<SessionId>()
  for (const token of tokens) {
    const { kind, sessionId } = await kit.sessions.explain(token)
    if (CREDENTIALS.has(kind) && sessionId !== undefined) ids.add(sessionId)
  }
  return ids
}
