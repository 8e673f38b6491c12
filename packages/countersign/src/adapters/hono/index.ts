/** Countersign on Hono. */
export { WebFault } from '../core/fault.ts'
export type { GuardOptions } from '../core/guard.ts'
export type { WebOptions } from '../core/options.ts'
export { type PasswordAccounts, type PasswordLogin, passwordLogin } from '../core/password-login.ts'
export type { Auth, SessionIn, SignIn } from '../core/types.ts'
export { type AuthEnv, countersign, type HonoAuth, type HonoOptions } from './hono.ts'
