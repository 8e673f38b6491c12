import { CountersignError } from '../internal/errors.ts'
import type { SubjectRef } from '../session/ids.ts'
import type { Context } from '../session/types.ts'
import type { Account } from '../stores/contract.ts'
import { subjectRef } from '../tokens/session-id.ts'
import { type AccountsCore, MAX_ATTEMPTS, PROOF, refused, rolesOf, subjectOf, tell, tooManyRaces } from './core.ts'
import type { AuthenticationFailure } from './events.ts'
import { normalIdentifier } from './identifier.ts'
import { checkPasswordType } from './passwords/policy.ts'
import { checkOwner, newSubject } from './register.ts'
import { finish, readSettled } from './settle.ts'
import type { AccountRefused, Authenticate, Authenticated, Confirm, Confirmed } from './types.ts'

type Denied = AccountRefused<'bad_credentials' | 'blocked'>

/**
 * `Accounts.authenticate`. Three store calls and one hash, whether or not the account exists:
 *
 * 1. `subjectOf`: whose identifier it is. Nobody's: the next two ask about a subject made up for this call.
 * 2. `epoch`, from the session store and before the account is read, so that no change of the account fits in between.
 * 3. `bySubject`: the account, and with `unsettled` also what another process left to do: do it, and begin again at 2.
 * 4. The hash, of the account's or of nobody's password.
 *
 * The caller's `issue({ ifEpoch })` is the fourth store call of a login.
 */
export async function authenticate(core: AccountsCore, input: Authenticate): Promise<Authenticated | Denied> {
  const { password, tenant, context, signal } = input
  checkPasswordType(password, 'password')
  const nobody = newSubject(core)
  const nobodyRef = subjectRef(core.keyring, tenant === undefined ? nobody : { subject: nobody, tenant })
  const identifier = normalIdentifier(input.identifier)
  const about = { identifier, tenant }
  const again = false
  // Both can be told from the input alone, so answering at once gives nothing away.
  if (identifier === undefined) return deny(core, 'identifier_invalid', again, about, context)
  if (!core.policy.canBeRight(password)) return deny(core, 'password_invalid', again, about, context)
  signal?.throwIfAborted()
  await core.ready()

  const found = await core.accounts.subjectOf({ identifier, ...(tenant !== undefined && { tenant }) })
  const ref = found ?? nobodyRef
  const { account, epoch } = await readWithEpoch(core, ref, context)
  checkOwner(account, identifier)
  const { right, upgraded } = await check(core, account, password, signal)

  if (account === null) return deny(core, 'unknown_account', again, about, context)
  if (!right) return deny(core, 'wrong_password', again, account, context)
  if (account.blocked !== null) return deny(core, 'blocked', again, account, context)
  if (upgraded !== undefined) await keepUpgrade(core, account, upgraded, context)
  tell(core, { type: 'authenticated', factors: PROOF.amr, again }, account, context)
  return Object.freeze({
    ok: true,
    subject: account.subject,
    ...(account.tenant !== undefined && { tenant: account.tenant }),
    roles: rolesOf(core, account),
    epoch,
    ...PROOF,
    authTimeMs: core.nowMs(),
  })
}

/** `Accounts.confirm`. */
export async function confirm(core: AccountsCore, input: Confirm): Promise<Confirmed | Denied> {
  const { subject, tenant, password, context, signal } = input
  checkPasswordType(password, 'password')
  const ref = subjectRef(core.keyring, tenant === undefined ? subject : { subject, tenant })
  const again = true
  if (!core.policy.canBeRight(password)) return deny(core, 'password_invalid', again, ref, context)
  signal?.throwIfAborted()
  await core.ready()

  const account = await readSettled(core, ref, context)
  const { right, upgraded } = await check(core, account, password, signal)
  if (account === null) return deny(core, 'unknown_account', again, { tenant }, context)
  if (!right) return deny(core, 'wrong_password', again, account, context)
  if (account.blocked !== null) return deny(core, 'blocked', again, account, context)
  if (upgraded !== undefined) await keepUpgrade(core, account, upgraded, context)
  tell(core, { type: 'authenticated', factors: PROOF.amr, again }, account, context)
  return Object.freeze({
    ok: true,
    subject: account.subject,
    ...(account.tenant !== undefined && { tenant: account.tenant }),
    ...PROOF,
  })
}

async function readWithEpoch(core: AccountsCore, ref: SubjectRef, context: Context | undefined) {
  for (let attempt = 1; attempt <= MAX_ATTEMPTS; attempt++) {
    const epoch = await core.sessions.epoch(subjectOf(ref))
    const account = await core.accounts.bySubject(ref)
    if (!account?.unsettled) return { account, epoch }
    // It moves the epoch: the one just read would be refused.
    await finish(core, account, account.unsettled, context)
  }
  throw tooManyRaces()
}

/** One hash, and a second one when the right password is kept under a weaker hash than new ones get. */
function check(core: AccountsCore, account: Account | null, password: string, signal: AbortSignal | undefined) {
  return core.hasher.use(async (work) => {
    const stored = account?.passwordHash ?? null
    const right = await work.verify(stored, password)
    const outdated = right && stored !== null && account?.blocked === null && work.isWeak(stored)
    return { right, upgraded: outdated ? await work.hash(password) : undefined }
  }, signal)
}

/** A lost race or a store that does not write must not keep out somebody who has proved who they are. */
async function keepUpgrade(
  core: AccountsCore,
  account: Account,
  passwordHash: string,
  context: Context | undefined,
): Promise<void> {
  try {
    const next = { ...account, passwordHash, version: account.version + 1 }
    const done = await core.accounts.replace(next, account.version)
    if (done.is === 'stored') tell(core, { type: 'hash_upgraded' }, account, context)
  } catch (error) {
    if (!(error instanceof CountersignError)) throw error
    tell(core, { type: 'hash_upgrade_failed', code: error.code }, account, context)
  }
}

function deny(
  core: AccountsCore,
  reason: AuthenticationFailure,
  again: boolean,
  about: Parameters<typeof tell>[2],
  context: Context | undefined,
): Denied {
  tell(core, { type: 'authentication_failed', reason, again }, about, context)
  return refused(reason === 'blocked' ? 'blocked' : 'bad_credentials')
}
