import type { Context } from '../../session/types.ts'
import type { Attempt } from './types.ts'

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
export interface PasswordAccounts<P extends { readonly ok: boolean }, C extends { readonly ok: boolean }> {
  authenticate(input: { identifier: string; password: string; context?: Context }): Promise<P>
  confirm(input: { subject: string; password: string; context?: Context }): Promise<C>
}

/** What a method proves when it is content. */
type Proven<F> = F extends (...input: any) => Promise<infer U> ? Extract<U, { readonly ok: true }> : never

/** {@link passwordLogin} */
export interface PasswordLogin<A extends PasswordAccounts> {
  readonly authenticate: (attempt: Attempt) => Promise<Proven<A['authenticate']> | ProofRefused>
  readonly reauthenticate: (
    attempt: Attempt & { readonly session: { readonly subject: string } },
  ) => Promise<Proven<A['confirm']> | ProofRefused>
export interface PasswordAccounts<P, C> {
  authenticate(input: { identifier: string; password: string; context?: Context }): Promise<P>
  confirm(input: { subject: string; password: string; context?: Context }): Promise<C>
}

/** Inferred as a whole: the refusals of the accounts have types of their own. */
type Proved = { readonly ok: true } | ProofRefused

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
export function passwordLogin<P extends Proved, C extends Proved>(accounts: PasswordAccounts<P, C>) {
  const text = (value: unknown) => (typeof value === 'string' ? value : '')
  return {
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
