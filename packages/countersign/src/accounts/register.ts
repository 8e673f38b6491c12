import { toBase64url } from '../internal/bytes.ts'
import { CountersignError } from '../internal/errors.ts'
import { checkRoles } from '../session/input.ts'
import type { Account } from '../stores/contract.ts'
import { subjectRef } from '../tokens/session-id.ts'
import { type AccountsCore, refused, tell, viewOf } from './core.ts'
import { normalIdentifier } from './identifier.ts'
import { checkPasswordType } from './passwords/policy.ts'
import type { AccountRefused, PasswordProblem, Register, Registered } from './types.ts'

/** 144 bits, and no padding in base64url. */
const SUBJECT_BYTES = 18

/** A subject that nobody else has: random, because it stands in tokens and logs, where an e-mail address must not. */
export function newSubject(core: AccountsCore): string {
  return toBase64url(core.runtime.random(SUBJECT_BYTES))
}

/** `Accounts.register`. */
export async function register(
  core: AccountsCore,
  input: Register,
): Promise<Registered | AccountRefused<'identifier_taken' | 'identifier_invalid' | PasswordProblem>> {
  const { password, tenant, context, signal } = input
  checkPasswordType(password, 'password')
  const roles = checkRoles(input.roles, core.roles)
  const identifier = normalIdentifier(input.identifier)
  const ref = subjectRef(core.keyring, tenant === undefined ? newSubject(core) : { subject: newSubject(core), tenant })
  if (identifier === undefined) return refused('identifier_invalid')
  const problem = await core.policy.problem(password, identifier)
  if (problem) return refused(problem)
  await core.ready()

  // Hashed before anybody knows whether the identifier is free: a taken one takes as long.
  const passwordHash = await core.hasher.use((work) => work.hash(password), signal)
  const nowMs = core.nowMs()
  const account: Account = {
    ...ref,
    identifier,
    version: 1,
    passwordHash,
    passwordChangedAtMs: nowMs,
    roles,
    blocked: null,
    createdAtMs: nowMs,
    unsettled: null,
  }
  const done = await core.accounts.create(account)
  if (done.is === 'exists') return refused('identifier_taken')
  tell(core, { type: 'registered', roles }, account, context)
  return { ok: true, account: viewOf(core, account) }
}

/** An index that leads to the account of somebody else would let that person in under this name. */
export function checkOwner(account: Account | null, identifier: string): void {
  if (account === null || account.identifier === identifier) return
  throw new CountersignError('ERR_STORE_CORRUPT', 'an identifier leads to an account with another one')
}
