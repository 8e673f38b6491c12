/** Countersign on `Request` and `Response`: Next.js, Bun, Deno and everything else that has them. */
export { WebFault } from '../core/fault.ts'
export type { GuardOptions } from '../core/guard.ts'
export type { WebOptions } from '../core/options.ts'
export { type PasswordAccounts, type PasswordLogin, passwordLogin } from '../core/password-login.ts'
export type { Auth, SessionIn, SignIn } from '../core/types.ts'
export { countersign, type FetchAuth, type FetchOptions } from './fetch.ts'
