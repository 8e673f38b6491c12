import type { Subject } from '../session/ids.ts'
import { checkRoles, checkText } from '../session/input.ts'
import type { Context } from '../session/types.ts'
import type { Account } from '../stores/contract.ts'
import { subjectRef } from '../tokens/session-id.ts'
import { type AccountsCore, MAX_ATTEMPTS, refused, tell, tooManyRaces, viewOf } from './core.ts'
import { normalIdentifier } from './identifier.ts'
import { checkOwner } from './register.ts'
import { finish, settle } from './settle.ts'
import type { AccountChanged, AccountRefused, AccountView } from './types.ts'

type Answer = AccountChanged | AccountRefused<'unknown_account'>

/** `Accounts.ban`. */
export async function ban(
  core: AccountsCore,
  subject: Subject,
  options: { reason?: string; context?: Context },
): Promise<Answer> {
  const { context } = options
  const reason = checkText(options.reason ?? 'banned', 'reason', 256)
  // What is open is not finished first: a ban must not wait for it, and ending all sessions covers it.
  const written = await change(core, subject, context, ['banned', 'password_changed', 'roles'], (account) => ({
    ...account,
    blocked: reason,
    unsettled: 'banned',
  }))
  if (!written) return refused('unknown_account')
  const { account, ended } = await settle(core, written.after, { context })
  tell(core, { type: 'banned', reason, ended: ended?.ended ?? 0 }, written.after, context)
  return { ok: true, account: viewOf(core, account ?? written.after), ended }
}

/** `Accounts.unban`. */
export async function unban(core: AccountsCore, subject: Subject, options: { context?: Context }): Promise<Answer> {
  const { context } = options
  const written = await change(core, subject, context, [], (account) =>
    account.blocked === null ? null : { ...account, blocked: null, unsettled: 'banned' },
  )
  if (!written) return refused('unknown_account')
  if (written.after === written.before) return { ok: true, account: viewOf(core, written.after), ended: undefined }
  const { account, ended } = await settle(core, written.after, { context })
  tell(core, { type: 'unbanned' }, written.after, context)
  return { ok: true, account: viewOf(core, account ?? written.after), ended }
}

/** `Accounts.setRoles`. */
export async function setRoles(
  core: AccountsCore,
  subject: Subject,
  roles: readonly string[],
  options: { context?: Context },
): Promise<Answer> {
  const { context } = options
  const checked = checkRoles(roles, core.roles)
  const written = await change(core, subject, context, ['roles'], (account) => ({
    ...account,
    roles: checked,
    unsettled: 'roles',
  }))
  if (!written) return refused('unknown_account')
  const { account, ended } = await settle(core, written.after, { context })
  tell(core, { type: 'roles_changed', roles: checked, before: written.before.roles }, written.after, context)
  return { ok: true, account: viewOf(core, account ?? written.after), ended }
}

/** `Accounts.get`. */
export async function get(core: AccountsCore, subject: Subject): Promise<AccountView | null> {
  const ref = subjectRef(core.keyring, subject)
  await core.ready()
  const account = await core.accounts.bySubject(ref)
  return account && viewOf(core, account)
}

/** `Accounts.find`. */
export async function find(
  core: AccountsCore,
  input: string,
  options: { tenant?: string },
): Promise<AccountView | null> {
  const identifier = normalIdentifier(input)
  if (identifier === undefined) return null
  const { tenant } = options
  await core.ready()
  const ref = await core.accounts.subjectOf({ identifier, ...(tenant !== undefined && { tenant }) })
  const account = ref && (await core.accounts.bySubject(ref))
  checkOwner(account, identifier)
  return account && viewOf(core, account)
}

/**
 * Writes a change of the newest account, again and again until nobody else was faster.
 *
 * @param covers - What may be open on the account because this change tells the sessions as much. The rest is finished
 * first.
 * @param edit - Answers `null` for no change.
 */
export async function change(
  core: AccountsCore,
  subject: Subject,
  context: Context | undefined,
  covers: readonly Account['unsettled'][],
  edit: (account: Account) => Account | null,
): Promise<{ readonly before: Account; readonly after: Account } | null> {
  const ref = subjectRef(core.keyring, subject)
  await core.ready()
  for (let attempt = 1; attempt <= MAX_ATTEMPTS; attempt++) {
    const before = await core.accounts.bySubject(ref)
    if (!before) return null
    if (before.unsettled && !covers.includes(before.unsettled)) {
      await finish(core, before, before.unsettled, context)
      continue
    }
    const edited = edit(before)
    if (edited === null) return { before, after: before }
    const after = { ...edited, version: before.version + 1 }
    const done = await core.accounts.replace(after, before.version)
    if (done.is === 'stored') return { before, after }
    if (done.is === 'unknown') return null
  }
  throw tooManyRaces()
}
