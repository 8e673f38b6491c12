import { Command } from 'commander'
import { isoTime } from '../http/views.ts'
import { isLinkKind, linkOf } from '../mail/links.ts'
import { linkBaseOf } from '../service.ts'
import { EXIT, Exit } from './exit.ts'
import { print } from './output.ts'
import { addSettings, configOf, withService } from './settings.ts'

export function oneTimeCommand(): Command {
  const oneTime = new Command('one-time').description('look at links for new passwords and for verifying addresses')
  addSettings(oneTime.command('show <id>'), 'all')
    .description('show what became of a link; the id stands in the log, with the event one_time_requested')
    .option(
      '--unsafe-print-link',
      'DANGEROUS outside development: prints the link itself, with which anybody can take over the account',
    )
    .option('--json', 'as one JSON object')
    .action(async (id: string, options: { unsafePrintLink?: boolean; json?: boolean }, command: Command) => {
      const base = linkBaseOf(await configOf(command))
      await withService(command, async ({ oneTime: tokens }) => {
        const token = tokens.tokenFor(id)
        const purpose = tokens.purposeOf(id)
        const seen = await tokens.look(token, { purpose })
        if (!seen.ok) throw new Exit(EXIT.refused, 'this link is used, over, or replaced by a newer one')
        const { subject, expiresAtMs } = seen
        const link = options.unsafePrintLink && isLinkKind(purpose) ? linkOf(base, purpose, token) : undefined
        const view = { purpose, subject, expiresAt: isoTime(expiresAtMs), ...(link !== undefined && { link }) }
        print(options.json, view, [`${purpose} for ${subject}, good until ${view.expiresAt}`, ...(link ? [link] : [])])
      })
    })
  return oneTime
}
