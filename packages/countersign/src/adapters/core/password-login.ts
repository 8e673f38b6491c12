import type { Context } from '../../session/types.ts'
import type { Attempt, ProofRefused } from './types.ts'

/** The part of `createAccounts` that {@link passwordLogin} uses. */
export interface PasswordAccounts {
  authenticate(input: {
    identifier: string
    password: string
    context?: Context
  }): Promise<{ readonly ok: true; readonly subject: string } | ProofRefused>
  confirm(input: {
    subject: string
    password: string
    context?: Context
  }): Promise<{ readonly ok: true; readonly acr: string; readonly amr: readonly string[] } | ProofRefused>
}

/** What a method proves when it is content. */
type Proven<F> = F extends (...input: any) => Promise<infer U> ? Extract<U, { readonly ok: true }> : never

/** {@link passwordLogin} */
export interface PasswordLogin<A extends PasswordAccounts> {
  readonly authenticate: (attempt: Attempt) => Promise<Proven<A['authenticate']> | ProofRefused>
  readonly reauthenticate: (
    attempt: Attempt & { readonly session: { readonly subject: string } },
  ) => Promise<Proven<A['confirm']> | ProofRefused>
}

/**
 * Log-in with identifier and password, by the accounts of `countersign/accounts`: the options `authenticate` and
 * `reauthenticate` of every adapter. The fields are `identifier` and `password`.
 *
 * @example
 * countersign({ sessions, origins, ...passwordLogin(accounts) })
 */
export function passwordLogin<A extends PasswordAccounts>(accounts: A): PasswordLogin<A> {
  const text = (value: unknown) => (typeof value === 'string' ? value : '')
  return {
    authenticate: ({ fields, context }) =>
      accounts.authenticate({ identifier: text(fields.identifier), password: text(fields.password), context }) as never,
    reauthenticate: ({ fields, context, session }) =>
      accounts.confirm({ subject: session.subject, password: text(fields.password), context }) as never,
  }
}
