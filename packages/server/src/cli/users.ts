import { Command } from 'commander'
import type { AccountRefused, Accounts, AccountView } from 'countersign/accounts'
import { ACCOUNT_ANSWERS } from '../http/problems.ts'
import { isoTime } from '../http/views.ts'
import { EXIT, Exit } from './exit.ts'
import { print, printEnded, table, warnOfDurability } from './output.ts'
import { readPassword } from './secret-input.ts'
import { addSettings, withService } from './settings.ts'

const BY = { by: 'cli' } as const

export function usersCommand(): Command {
  const users = new Command('users').description('add, show, ban and unban accounts, and set their roles')

  addSettings(users.command('add <identifier>'), 'storage')
    .description('add an account; the password comes from a prompt or from standard input')
    .option('--role <name>', 'a role of it; may be repeated', (value: string, before: string[] = []) => [
      ...before,
      value,
    ])
    .option('--json', 'as one JSON object')
    .addHelpText('after', '\nExample:\n  echo "$PASSWORD" | countersign users add alice@example.com --role admin')
    .action(async (identifier: string, options: { role?: string[]; json?: boolean }, command: Command) => {
      const password = await readPassword()
      await withService(command, async ({ accounts }) => {
        const roles = options.role && { roles: options.role }
        const done = await accounts.register({ identifier, password, ...roles, context: BY })
        if (!done.ok) throw refused(done)
        show(options.json, done.account)
      })
    })

  addSettings(users.command('show <identifier>'), 'storage')
    .description('show an account')
    .option('--json', 'as one JSON object')
    .action(async (identifier: string, options: { json?: boolean }, command: Command) => {
      await withService(command, async ({ accounts }) => show(options.json, await find(accounts, identifier)))
    })

  addSettings(users.command('role <identifier> [roles...]'), 'storage')
    .description(
      'set the roles of an account: exactly these; what is lost is lost at once, what is gained comes with the next refresh',
    )
    .option('--json', 'as one JSON object')
    .addHelpText(
      'after',
      '\nExamples:\n  countersign users role alice@example.com user admin\n  countersign users role alice@example.com   (none)',
    )
    .action(async (identifier: string, roles: string[], options: { json?: boolean }, command: Command) => {
      await withService(command, async ({ accounts }) => {
        const { subject } = await find(accounts, identifier)
        const done = await accounts.setRoles(subject, roles, { context: BY })
        if (!done.ok) throw refused(done)
        const view = { roles, changed: done.ended?.ended ?? 0 }
        print(options.json, view, [
          `${identifier} has ${roles.join(', ') || 'no roles'}; ${view.changed} sessions changed`,
        ])
        if (done.ended) warnOfDurability(done.ended)
      })
    })

  addSettings(users.command('ban <identifier>'), 'storage')
    .description('block an account and end all its sessions')
    .option('--reason <text>', 'why; kept with the account', 'banned')
    .option('--json', 'as one JSON object')
    .action(async (identifier: string, options: { reason: string; json?: boolean }, command: Command) => {
      await withService(command, async ({ accounts }) => {
        const { subject } = await find(accounts, identifier)
        const done = await accounts.ban(subject, { reason: options.reason, context: BY })
        if (!done.ok) throw refused(done)
        printEnded(options.json, done.ended!, `${identifier} is banned`)
      })
    })

  addSettings(users.command('unban <identifier>'), 'storage')
    .description('let a blocked account log in again')
    .option('--json', 'as one JSON object')
    .action(async (identifier: string, options: { json?: boolean }, command: Command) => {
      await withService(command, async ({ accounts }) => {
        const { subject } = await find(accounts, identifier)
        const done = await accounts.unban(subject, { context: BY })
        if (!done.ok) throw refused(done)
        print(options.json, { subject, blocked: null }, [`${identifier} may log in again`])
        if (done.ended) warnOfDurability(done.ended)
      })
    })
  return users
}

/** The account that somebody logs in to with this identifier. */
export async function find(accounts: Accounts, identifier: string): Promise<AccountView> {
  const account = await accounts.find(identifier)
  if (!account) throw new Exit(EXIT.notFound, `there is no account ${JSON.stringify(identifier)}`)
  return account
}

function refused({ reason }: AccountRefused): Exit {
  return new Exit(
    reason === 'unknown_account' ? EXIT.notFound : EXIT.refused,
    `${ACCOUNT_ANSWERS[reason].title} (${reason})`,
  )
}

function show(asJson: boolean | undefined, account: AccountView): void {
  const { createdAtMs, passwordChangedAtMs, emailVerifiedAtMs, ...rest } = account
  const view = {
    ...rest,
    createdAt: isoTime(createdAtMs),
    passwordChangedAt: isoTime(passwordChangedAtMs),
    emailVerifiedAt: emailVerifiedAtMs === null ? null : isoTime(emailVerifiedAtMs),
  }
  const cells = Object.entries(view).map(([name, value]) => [
    name,
    value === null ? '-' : Array.isArray(value) ? value.join(',') || '-' : String(value),
  ])
  print(asJson, view, table(['FIELD', 'VALUE'], cells))
}
