import { invalidInput } from '../internal/errors.ts'
import type { Context } from '../session/types.ts'
import type { Account } from '../stores/contract.ts'
import { subjectRef } from '../tokens/session-id.ts'
import { type AccountsCore, MAX_ATTEMPTS, PROOF, refused, tell, tooManyRaces, viewOf } from './core.ts'
import { checkPasswordType } from './passwords/policy.ts'
import { readSettled, settle } from './settle.ts'
import type { AccountRefused, ChangePassword, PasswordChanged, PasswordProblem, Renewed } from './types.ts'

/**
 * `Accounts.changePassword`.
 *
 * 1. Verify the current password and hash the next one, in one slot.
 * 2. Write the account with `unsettled`, if it is still the one that was read. It is not, but its hash is: somebody
 *    changed something else, so the new hash goes into what they wrote. Its hash is another one too: begin again at 1.
 * 3. Renew the caller's own session, whose old id and secrets die by that. It was replaced or ended meanwhile: then no
 *    session is spared, because somebody else may hold what replaced it.
 * 4. End the other sessions, which moves the epoch, and clear `unsettled`.
 */
export async function changePassword<N extends Renewed>(
  core: AccountsCore,
  input: ChangePassword<N>,
): Promise<PasswordChanged<string, N> | AccountRefused<'bad_credentials' | 'blocked' | PasswordProblem>> {
  const { subject, tenant, current, next, renew, context, signal } = input
  checkPasswordType(current, 'current')
  checkPasswordType(next, 'next')
  if (renew !== undefined && typeof renew !== 'function') throw invalidInput('renew', 'must be a function')
  const ref = subjectRef(core.keyring, tenant === undefined ? subject : { subject, tenant })
  const deny = <Reason extends 'bad_credentials' | 'blocked' | PasswordProblem>(reason: Reason) => {
    tell(core, { type: 'password_change_failed', reason }, ref, context)
    return refused(reason)
  }
  const length = core.policy.lengthProblem(next)
  if (length) return deny(length)
  if (!core.policy.canBeRight(current)) return deny('bad_credentials')
  signal?.throwIfAborted()
  await core.ready()

  let account = await readSettled(core, ref, context)
  // Somebody without an account is told nothing, so the words of nobody's identifier are not asked for.
  const problem = account && (await core.policy.problem(next, account.identifier))
  if (problem) return deny(problem)

  for (let attempt = 1; attempt <= MAX_ATTEMPTS; attempt++) {
    const verified = account?.passwordHash ?? null
    const passwordHash = await core.hasher.use(
      async (work) => ((await work.verify(verified, current)) ? work.hash(next) : undefined),
      signal,
    ) // 1
    if (account === null || passwordHash === undefined) {
      // A failed proof like any other, so that whoever counts those counts this one.
      const reason = account === null ? 'unknown_account' : 'wrong_password'
      tell(core, { type: 'authentication_failed', reason, again: true }, account ?? { tenant }, context)
      return deny('bad_credentials')
    }
    if (account.blocked !== null) return deny('blocked')

    while (account?.passwordHash === verified) {
      const changed = withPassword(account, passwordHash, core.nowMs())
      const done = await core.accounts.replace(changed, account.version) // 2
      if (done.is === 'stored') {
        const renewed = await renewOrEnd(core, changed, renew, context) // 3
        const except = renewed?.ok ? renewed.session.sessionId : undefined
        const settled = await settle(core, changed, { context, except }) // 4
        const ended = settled.ended!
        tell(core, { type: 'password_changed', ended: ended.ended }, changed, context)
        const account = viewOf(core, settled.account ?? changed)
        return { ok: true, account, ended, ...(renewed && { renewed }), ...PROOF }
      }
      account = await readSettled(core, ref, context)
      if (++attempt > MAX_ATTEMPTS) throw tooManyRaces()
    }
  }
  throw tooManyRaces()
}

/** The account with another password, before the sessions know. */
export function withPassword(account: Account, passwordHash: string, nowMs: number): Account {
  return {
    ...account,
    passwordHash,
    passwordChangedAtMs: nowMs,
    unsettled: 'password_changed',
    version: account.version + 1,
  }
}

/** A renewal that gets no answer may have happened or not, so everything is ended, at once or by the next call. */
async function renewOrEnd<N extends Renewed>(
  core: AccountsCore,
  changed: Account,
  renew: (() => Promise<N>) | undefined,
  context: Context | undefined,
): Promise<N | undefined> {
  try {
    return await renew?.()
  } catch (error) {
    // What fails here as well is left `unsettled`, and the fault that the caller sees is the first one.
    await settle(core, changed, { context }).catch(() => undefined)
    throw error
  }
}
