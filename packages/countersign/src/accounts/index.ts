export { type Accounts, createAccounts } from './create-accounts.ts'
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
  PasswordChanged,
  PasswordProblem,
  PasswordProof,
  Register,
  Registered,
} from './types.ts'
