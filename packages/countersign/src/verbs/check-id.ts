import { invalidInput } from '../internal/errors.ts'
import type { SessionId } from '../session/ids.ts'
import { parseSessionId } from '../tokens/session-id.ts'

/** A caller without types can hand over anything, a token for instance; the store never sees it. */
export function checkSessionId(id: SessionId): void {
  if (parseSessionId(id) === undefined)
    throw invalidInput('id', 'must be a session id; use parseSessionId for text from outside')
}
