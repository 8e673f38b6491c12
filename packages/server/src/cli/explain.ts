import { Command } from 'commander'
import { isoTime } from '../http/views.ts'
import type { Service } from '../service.ts'
import { EXIT } from './exit.ts'
import { print } from './output.ts'
import { readToken } from './secret-input.ts'
import { addSettings, withService } from './settings.ts'

/** What is shown of a token or id. Never the token, nor anything that makes one. */
interface Explained {
  readonly kind: string
  readonly accepted: boolean
  readonly reason?: string
  readonly endedBy?: string
  readonly remedy?: string
  readonly [more: string]: unknown
}

export function explainCommand(): Command {
  return addSettings(new Command('explain'), 'all')
    .description('say of a token, from standard input, what it is and whether it would be accepted, and if not, why')
    .option('--json', 'as one JSON object')
    .addHelpText('after', '\nExits with 4 when it would be refused.\n\nExample:\n  pbpaste | countersign explain')
    .action(async (options: { json?: boolean }, command: Command) => {
      const token = await readToken()
      await withService(command, async (service) => {
        const explained = await explain(service, token)
        const lines = Object.entries(explained).map(([name, value]) => `${name}: ${shown(value)}`)
        print(options.json, explained, lines)
        if (!explained.accepted) process.exitCode = EXIT.refused
      })
    })
}

async function explain({ sessions, oneTime, serviceTokens, clients }: Service, token: string): Promise<Explained> {
  if (token.startsWith('cs1_')) {
    const { accepted, expiresAtMs, ...more } = await oneTime.explain(token)
    return {
      kind: 'one_time_token',
      accepted,
      ...more,
      ...(expiresAtMs !== undefined && { expiresAt: isoTime(expiresAtMs) }),
    }
  }
  const service = serviceTokens?.read(token)
  if (service) {
    const accepted = clients.find(service.client_id) !== undefined
    return { kind: 'service_token', accepted, ...(!accepted && { reason: 'unknown_client' }), claims: service }
  }
  const { kind, accepted, refusal, session, claims, ...more } = await sessions.explain(token)
  return {
    kind,
    accepted,
    ...(refusal && {
      reason: refusal.reason,
      ...(refusal.endedBy !== undefined && { endedBy: refusal.endedBy }),
      remedy: refusal.remedy,
    }),
    ...more,
    ...(session && { expiresAt: isoTime(session.expiresAtMs), lastSeenAt: isoTime(session.lastSeenAtMs) }),
    ...(claims && { claims }),
  }
}

/** Text of others' making is kept on its line. */
function shown(value: unknown): string {
  const text = typeof value === 'string' ? value : JSON.stringify(value)
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, '?')
}
