import type { Context } from '../../session/types.ts'
import type { Attempt, ProofRefused } from './types.ts'

/** The part of `createAccounts` that {@link passwordLogin} uses. */
export interface PasswordAccounts<P, C> {
  authenticate(input: { identifier: string; password: string; context?: Context }): Promise<P>
  confirm(input: { subject: string; password: string; context?: Context }): Promise<C>
}

/** Inferred as a whole: the refusals of the accounts have types of their own. */
type Proved = { readonly ok: true } | ProofRefused

/**
 * Log-in with identifier and password, by the accounts of `countersign/accounts`: the options `authenticate` and
 * `reauthenticate` of every adapter.
 *
 * @example
 * countersign({ sessions, origins, ...passwordLogin(accounts) })
 */
export function passwordLogin<P extends Proved, C extends Proved>(accounts: PasswordAccounts<P, C>) {
  const text = (value: unknown) => (typeof value === 'string' ? value : '')
  return {
    authenticate: ({ fields, context }: Attempt): Promise<P> =>
      accounts.authenticate({ identifier: text(fields.identifier), password: text(fields.password), context }),
    reauthenticate: ({
      fields,
      context,
      session,
    }: Attempt & { readonly session: { readonly subject: string } }): Promise<C> =>
      accounts.confirm({ subject: session.subject, password: text(fields.password), context }),
  }
}
