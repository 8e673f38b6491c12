import type { SignedOutReason } from 'countersign/browser'
import { client } from './client.ts'

let wasIn = false
client.subscribe(() => {
  wasIn ||= client.state.status === 'signed_in'
})

/** Why somebody has to log in, by the names of `words`; `undefined` for who comes for the first time. */
export function whyOver(reason: SignedOutReason): string | undefined {
  if (reason !== 'missing' && reason !== 'unauthenticated') return reason
  // The cookie expires with the session, so by then there is none.
  return wasIn ? 'expired_absolute' : undefined
}
