import type { Answer } from './answer.ts'
import { Exchange } from './exchange.ts'
import { withFaults } from './fault.ts'
import { createGuard, type Guard, type GuardOptions } from './guard.ts'
import { createHandlers, type Handlers } from './handlers.ts'
import { signIn } from './login.ts'
import { signOut } from './logout.ts'
import { type Kit, resolveKit, type WebOptions } from './options.ts'
import type { RequestSource } from './source.ts'
import type { WebSessions } from './types.ts'

/** What all adapters are made of: everything but reading a request and writing an answer. */
export interface Web {
  readonly kit: Kit
  readonly handlers: Handlers
  /** What is known of a request: one for all guards and checks of it. */
  exchange(source: RequestSource): Exchange
  guard(options?: GuardOptions<any>): Guard
  /** Opens a session for somebody who has proved who they are. */
  signIn(exchange: Exchange, input: object, to?: string): Promise<Answer>
  /** Ends the session of a request. */
  signOut(exchange: Exchange, to?: string): Promise<Answer>
}

/** @throws CountersignError `ERR_CONFIG_INVALID`, `ERR_CONFIG_UNSAFE`, naming the option. */
export function createWeb<V extends WebSessions>(options: WebOptions<V>): Web {
  const kit = resolveKit(options)
  return {
    kit,
    handlers: createHandlers(kit),
    exchange: (source) => new Exchange(kit, source),
    guard: createGuard,
    signIn: (exchange, input, to) => withFaults(signIn(exchange, input, to)),
    signOut: (exchange, to) => withFaults(signOut(exchange, to)),
  }
}
