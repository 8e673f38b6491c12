import type { OneTime } from '../one-time/types.ts'
import type { Account } from '../stores/contract.ts'
import { subjectRef } from '../tokens/session-id.ts'
import { change } from './administer.ts'
import { withPassword } from './change-password.ts'
import { type AccountsCore, MAX_ATTEMPTS, refused, subjectOf, tell, tooManyRaces, viewOf } from './core.ts'
import { normalIdentifier } from './identifier.ts'
import { checkPasswordType } from './passwords/policy.ts'
import { checkOwner, newSubject } from './register.ts'
import { readSettled, settle } from './settle.ts'
import type {
  AccountRefusalReason,
  AccountRefused,
  EmailVerification,
  PasswordProblem,
  PasswordReset,
  RequestEmailVerification,
  RequestPasswordReset,
  ResetPassword,
} from './types.ts'

/**
 * What a reset link is bound to. A new password kills it (FP-3), also one that is only hashed anew, as does a ban. The
 * epoch is not in it: "log out everywhere" is what somebody does who is about to reset the password.
 */
const resetState = ({ identifier, passwordHash, blocked }: Account) =>
  JSON.stringify([identifier, passwordHash, blocked])
const verificationState = ({ identifier }: Account) => JSON.stringify([identifier])

/**
 * `Recovery.requestPasswordReset`. Three store calls, whether or not the account exists: whose identifier it is, the
 * account, and the token. Nobody's account is asked for under a subject made up for this call.
 */
export async function requestPasswordReset(core: AccountsCore, input: RequestPasswordReset): Promise<void> {
  const { tenant, context } = input
  const oneTime = oneTimeOf(core)
  const identifier = normalIdentifier(input.identifier)
  const nobody = newSubject(core)
  const nobodyRef = subjectRef(core.keyring, tenant === undefined ? nobody : { subject: nobody, tenant })
  // Told from the input alone, so that doing no work gives nothing away.
  if (identifier === undefined) return tell(core, { type: 'password_reset_requested' }, { tenant }, context)
  await core.ready()
  const found = await core.accounts.subjectOf({ identifier, ...(tenant !== undefined && { tenant }) })
  const account = await core.accounts.bySubject(found ?? nobodyRef)
  checkOwner(account, identifier)
  if (account === null) {
    await oneTime.pretend('password_reset')
    return tell(core, { type: 'password_reset_requested' }, { identifier, tenant }, context)
  }
  const boundTo = resetState(account)
  await oneTime.issue({ purpose: 'password_reset', subject: subjectOf(account), boundTo, ...contextIn(context) })
  tell(core, { type: 'password_reset_requested' }, account, context)
}

/**
 * `Recovery.resetPassword`.
 *
 * 1. Look at the token without using it, so that a password that is refused, or a server too busy to hash, costs no link.
 * 2. Hash, then use the token: of several calls at once one gets past this.
 * 3. Write the account with `unsettled`, as `changePassword` does. Somebody else changed it: their change is kept,
 *    unless it changed what the token is bound to.
 * 4. End all sessions, which moves the epoch, and clear `unsettled`.
 */
export async function resetPassword(
  core: AccountsCore,
  { token, next, context, signal }: ResetPassword,
): Promise<PasswordReset | AccountRefused<'link_invalid' | PasswordProblem>> {
  const purpose = 'password_reset'
  const oneTime = oneTimeOf(core)
  checkPasswordType(next, 'next')
  const deny = <Reason extends 'link_invalid' | PasswordProblem>(reason: Reason, about: About = {}) => {
    tell(core, { type: 'password_reset_failed', reason: reason as AccountRefusalReason }, about, context)
    return refused(reason)
  }
  const length = core.policy.lengthProblem(next)
  if (length) return deny(length)
  signal?.throwIfAborted()

  const seen = await oneTime.look(token, { purpose }) // 1
  if (!seen.ok) return deny('link_invalid')
  const ref = subjectRef(core.keyring, subjectOf(seen))
  let account = await readSettled(core, ref, context)
  if (account === null || !seen.isBoundTo(resetState(account))) return deny('link_invalid', ref)
  const problem = await core.policy.problem(next, account.identifier)
  if (problem) return deny(problem, account)

  const boundTo = resetState(account)
  const passwordHash = await core.hasher.use((work) => work.hash(next), signal)
  const redeemed = await oneTime.redeem(token, { purpose, boundTo, ...contextIn(context) }) // 2
  if (!redeemed.ok) return deny('link_invalid', account)

  for (let attempt = 1; attempt <= MAX_ATTEMPTS; attempt++) {
    const changed = withPassword(account, passwordHash, core.nowMs())
    const done = await core.accounts.replace(changed, account.version) // 3
    if (done.is === 'stored') {
      const settled = await settle(core, changed, { context }) // 4
      const ended = settled.ended!
      tell(core, { type: 'password_reset', ended: ended.ended }, changed, context)
      return { ok: true, account: viewOf(core, settled.account ?? changed), ended }
    }
    account = await readSettled(core, ref, context)
    if (account === null || resetState(account) !== boundTo) return deny('link_invalid', ref)
  }
  throw tooManyRaces()
}

/** `Recovery.requestEmailVerification`. */
export async function requestEmailVerification(
  core: AccountsCore,
  { subject, tenant, context }: RequestEmailVerification,
): Promise<EmailVerification | AccountRefused<'unknown_account' | 'not_an_address'>> {
  const oneTime = oneTimeOf(core)
  const ref = subjectRef(core.keyring, tenant === undefined ? subject : { subject, tenant })
  await core.ready()
  const account = await core.accounts.bySubject(ref)
  if (account === null) return refused('unknown_account')
  if (!/^[^@\s]+@[^@\s]+$/.test(account.identifier)) return refused('not_an_address')
  if (account.emailVerifiedAtMs === undefined) {
    const boundTo = verificationState(account)
    await oneTime.issue({ purpose: 'email_verification', subject: subjectOf(ref), boundTo, ...contextIn(context) })
  }
  return { ok: true, account: viewOf(core, account) }
}

/** `Recovery.verifyEmail`. */
export async function verifyEmail(
  core: AccountsCore,
  { token, context }: { token: string; context?: AboutContext },
): Promise<EmailVerification | AccountRefused<'link_invalid'>> {
  const purpose = 'email_verification'
  const oneTime = oneTimeOf(core)
  const seen = await oneTime.look(token, { purpose })
  if (!seen.ok) return refused('link_invalid')
  const subject = subjectOf(seen)
  const account = await readSettled(core, subjectRef(core.keyring, subject), context)
  if (account === null) return refused('link_invalid')
  const boundTo = verificationState(account)
  const redeemed = await oneTime.redeem(token, { purpose, boundTo, ...contextIn(context) })
  if (!redeemed.ok) return refused('link_invalid')
  const emailVerifiedAtMs = core.nowMs()
  const written = await change(core, subject, context, [], (current) => ({ ...current, emailVerifiedAtMs }))
  if (!written) return refused('link_invalid')
  tell(core, { type: 'email_verified' }, written.after, context)
  return { ok: true, account: viewOf(core, written.after) }
}

type About = Parameters<typeof tell>[2]
type AboutContext = NonNullable<RequestPasswordReset['context']>

function contextIn(context: AboutContext | undefined): { context?: AboutContext } {
  return context === undefined ? {} : { context }
}

/** These verbs exist only where there is one. */
function oneTimeOf(core: AccountsCore): OneTime {
  return core.oneTime!
}
