import type { Context } from '../../session/types.ts'
import type { Attempt } from './types.ts'

/** The part of `createAccounts` that {@link passwordLogin} uses. */
export interface PasswordAccounts<P extends { readonly ok: boolean }, C extends { readonly ok: boolean }> {
  authenticate(input: { identifier: string; password: string; context?: Context }): Promise<P>
  confirm(input: { subject: string; password: string; context?: Context }): Promise<C>
}

/**
 * Log-in with identifier and password, by the accounts of `countersign/accounts`: the options `authenticate` and
 * `reauthenticate` of every adapter.
 *
 * @example
 * countersign({ sessions, origins, ...passwordLogin(accounts) })
 */
export function passwordLogin<P extends { readonly ok: boolean }, C extends { readonly ok: boolean }>(
  accounts: PasswordAccounts<P, C>,
) {
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
