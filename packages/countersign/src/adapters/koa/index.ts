/** Countersign on Koa. */
export { WebFault } from '../core/fault.ts'
export type { GuardOptions } from '../core/guard.ts'
export type { WebOptions } from '../core/options.ts'
export { type PasswordAccounts, type PasswordLogin, passwordLogin } from '../core/password-login.ts'
export type { Auth, SessionIn, SignIn } from '../core/types.ts'
export { countersign, type KoaAuth, type KoaContext, type KoaMiddleware, type KoaState } from './koa.ts'
