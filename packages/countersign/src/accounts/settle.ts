import type { SessionId, SubjectRef } from '../session/ids.ts'
import type { Context, Ended, WhenAway } from '../session/types.ts'
import type { Account } from '../stores/contract.ts'
import { type AccountsCore, MAX_ATTEMPTS, subjectOf, tell, tooManyRaces } from './core.ts'

export interface SettleOptions extends WhenAway {
  readonly context?: Context | undefined
  /** The session that a password change spares. */
  readonly except?: SessionId | undefined
}

/** What this call last told the sessions, where telling it later than somebody else would undo what they told. */
interface Told {
  blocked?: boolean
  roles?: readonly string[]
}

/**
 * Tells the sessions what the account says, and then clears `unsettled`. The account was written first, so whoever dies
 * in between leaves `unsettled` behind and the next call on the account comes here.
 *
 * 1. Tell the sessions what is open. What is told comes from the account: `banned` means that the gate may not agree
 *    with `blocked`, so it finishes a ban and an unban alike.
 *    Sessions that do not take it answer `queued`: then it stays open, as it does when the process dies.
 * 2. Clear `unsettled`, if the account is still the one that was told.
 * 3. It is not: somebody else has taken over, and what is open now is theirs. But this call may have been the slower
 *    one and have told the sessions something old; then tell them again what the account says now, until both agree.
 *
 * @returns The account as it was seen last; `null` when it has gone.
 */
export async function settle(
  core: AccountsCore,
  account: Account,
  options: SettleOptions = {},
): Promise<{ readonly account: Account | null; readonly ended: Ended | undefined }> {
  const told: Told = {}
  let ended: Ended | undefined
  let current = account
  let mine = true
  for (let attempt = 1; attempt <= MAX_ATTEMPTS; attempt++) {
    const isBlocked = current.blocked !== null
    const open = mine ? current.unsettled : null
    if (open === 'password_changed') ended = await endSessions(core, current, options) // 1
    if (open === 'banned' || (told.blocked !== undefined && told.blocked !== isBlocked)) {
      told.blocked = isBlocked
      ended = await setBlocked(core, current, isBlocked, options)
    }
    if (open === 'roles' || (told.roles !== undefined && !sameRoles(told.roles, current.roles))) {
      told.roles = current.roles
      ended = await core.sessions.setRoles(subjectOf(current), known(core, current.roles), howOf(options))
    }
    if (ended?.durability === 'queued') return { account: current, ended }

    if (mine) {
      const next: Account = { ...current, unsettled: null, version: current.version + 1 }
      const done = await core.accounts.replace(next, current.version) // 2
      if (done.is === 'stored') return { account: next, ended }
      mine = false
    }
    const found = await core.accounts.bySubject(current) // 3
    if (!found) return { account: null, ended }
    const agrees =
      (told.blocked === undefined || told.blocked === (found.blocked !== null)) &&
      (told.roles === undefined || sameRoles(told.roles, found.roles))
    if (agrees) return { account: found, ended }
    current = found
  }
  throw tooManyRaces()
}

/**
 * An account on which nothing is open: what another process left is finished first. One round trip when nothing was.
 */
export async function readSettled(
  core: AccountsCore,
  ref: SubjectRef,
  context: Context | undefined,
): Promise<Account | null> {
  for (let attempt = 1; attempt <= MAX_ATTEMPTS; attempt++) {
    const account = await core.accounts.bySubject(ref)
    if (!account?.unsettled) return account
    await finish(core, account, account.unsettled, context)
  }
  throw tooManyRaces()
}

/** Finishes what another process left open, and says so. */
export async function finish(
  core: AccountsCore,
  account: Account,
  change: NonNullable<Account['unsettled']>,
  context: Context | undefined,
): Promise<void> {
  // Whoever needs it finished cannot go on with less.
  await settle(core, account, { context, whenAway: 'throw' })
  tell(core, { type: 'change_finished', change }, account, context)
}

function endSessions(core: AccountsCore, account: Account, options: SettleOptions): Promise<Ended> {
  const { except } = options
  return core.sessions.revokeAll(subjectOf(account), {
    reason: 'password_changed',
    ...(except !== undefined && { except }),
    ...howOf(options),
  })
}

function setBlocked(core: AccountsCore, account: Account, block: boolean, options: SettleOptions): Promise<Ended> {
  const reason = block ? 'banned' : 'unbanned'
  return core.sessions.revokeAll(subjectOf(account), { reason, block, ...howOf(options) })
}

/** Sessions refuse a role that they do not know, and one that has gone from the configuration is lost anyhow. */
function known(core: AccountsCore, roles: readonly string[]): readonly string[] {
  return core.roles ? roles.filter((role) => core.roles!.includes(role)) : roles
}

function howOf({ context, whenAway }: SettleOptions): { context?: Context } & WhenAway {
  return { ...(context !== undefined && { context }), ...(whenAway !== undefined && { whenAway }) }
}

function sameRoles(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((role) => b.includes(role))
}
