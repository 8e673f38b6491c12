export { type Accounts, createAccounts, type Recovery } from './create-accounts.ts'
export type { AccountEvent, AccountEvents, AccountEventType, AuthenticationFailure } from './events.ts'
export type { AccountsOptions, PasswordsOptions } from './options.ts'
export type { RefusePassword } from './passwords/policy.ts'
export type {
  AccountChanged,
  AccountRefusalReason,
  AccountRefused,
  AccountSessions,
  AccountView,
  Authenticate,
  Authenticated,
  ChangePassword,
  Confirm,
  Confirmed,
  EmailVerification,
  PasswordChanged,
  PasswordProblem,
  PasswordProof,
  PasswordReset,
  Register,
  Registered,
  RequestEmailVerification,
  RequestPasswordReset,
  ResetPassword,
} from './types.ts'
