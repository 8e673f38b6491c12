import { Command } from 'commander'
import { parseSessionId } from 'countersign'
import { sessionView } from '../http/views.ts'
import { EXIT, Exit } from './exit.ts'
import { print, printEnded, table } from './output.ts'
import { addSettings, withService } from './settings.ts'
import { find } from './users.ts'

interface RevokeOptions {
  readonly user?: string
  readonly everyone?: boolean
  readonly reason: string
  readonly json?: boolean
}

export function sessionsCommand(): Command {
  const sessions = new Command('sessions').description('list and end sessions')

  addSettings(sessions.command('list <identifier>'), 'storage')
    .description('list the live sessions of an account, oldest first; never a token')
    .option('--json', 'as one JSON object {"items":[…]}')
    .action(async (identifier: string, options: { json?: boolean }, command: Command) => {
      await withService(command, async ({ accounts, sessions: all }) => {
        const { subject } = await find(accounts, identifier)
        const items = []
        for await (const session of all.list(subject)) {
          const { current: _, ...view } = sessionView(session)
          items.push(view)
        }
        const rows = items.map((item) => [
          item.id,
          item.createdAt,
          item.lastSeenAt,
          item.ip ?? '-',
          item.device?.label ?? item.userAgent ?? '-',
        ])
        print(options.json, { items }, table(['ID', 'CREATED', 'LAST SEEN', 'IP', 'DEVICE'], rows))
      })
    })

  addSettings(sessions.command('revoke [id]'), 'storage')
    .description('end one session, all sessions of an account, or all there are')
    .option('--user <identifier>', 'all sessions of this account')
    .option('--everyone', 'all sessions of everybody; effective a second later')
    .option('--reason <text>', 'what the refused sessions are told', 'admin')
    .option('--json', 'as one JSON object')
    .addHelpText(
      'after',
      '\nExamples:\n  countersign sessions revoke --user alice@example.com\n  countersign sessions revoke --everyone --reason incident',
    )
    .action(async (id: string | undefined, options: RevokeOptions, command: Command) => {
      const { user, everyone, reason, json } = options
      if ([id !== undefined, user !== undefined, everyone === true].filter(Boolean).length !== 1) {
        throw new Exit(EXIT.usage, 'name one of: a session id, --user <identifier>, --everyone')
      }
      const sessionId = id === undefined ? undefined : parseSessionId(id)
      if (id !== undefined && sessionId === undefined) throw new Exit(EXIT.usage, 'this is not a session id')
      // Nobody would see to one that waits: this process is about to end.
      const why = { reason, context: { by: 'cli' }, whenAway: 'throw' } as const
      await withService(command, async ({ accounts, sessions: all }) => {
        if (everyone) return printEnded(json, await all.revokeEveryone(why), 'everyone')
        if (user !== undefined) {
          const { subject } = await find(accounts, user)
          return printEnded(json, await all.revokeAll(subject, why), user)
        }
        // An id that a step-up replaced is followed to the session that took over.
        const done = await all.revoke(sessionId!, why)
        if (done.ended === 0) {
          const found = await all.get(sessionId!)
          throw new Exit(
            EXIT.notFound,
            `there is no such session${found.ok ? '' : `: ${found.endedBy ?? found.reason}`}`,
          )
        }
        return printEnded(json, done, sessionId!)
      })
    })
  return sessions
}
