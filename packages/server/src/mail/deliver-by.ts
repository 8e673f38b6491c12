import { spawn } from 'node:child_process'
import type { Kit } from '../http/kit.ts'
import { isoTime } from '../http/views.ts'
import { isLinkKind, linkOf } from './links.ts'

export interface MailSettings {
  /** Path of the program. */
  readonly command: string
  /** Where links lead. */
  readonly linkBase: string
}

/** What the program gets: one JSON object on its standard input. The one place where a link leaves the process. */
export type Mail = { readonly to: string; readonly subject: string } & (
  | { readonly kind: 'password_reset' | 'email_verification'; readonly link: string; readonly expiresAt: string }
  /** To be told, so that whoever did not do it finds out (ASVS 6.3.7). */
  | { readonly kind: 'password_was_reset' | 'password_was_changed' }
)

const TIMEOUT_MS = 30_000

/** Turns events into mails. Returns the function that stops it. */
export function deliverBy(settings: MailSettings, kit: Kit): () => void {
  const send = (id: string | undefined, make: () => Promise<Mail | undefined>) => {
    try {
      kit.later.add(async () => {
        const mail = await make()
        if (!mail) return
        const { kind } = mail
        const problem = await run(settings.command, JSON.stringify(mail))
        if (problem === undefined) kit.log.info({ event: 'mail_sent', kind, id })
        else kit.log.error({ event: 'mail_failed', kind, id, problem })
      })
    } catch {
      kit.log.error({ event: 'mail_failed', id, problem: 'busy' })
    }
  }
  const addressOf = async (subject: string) => {
    const account = await kit.accounts.get(subject)
    return account?.identifier.includes('@') ? account.identifier : undefined
  }

  const stops = [
    kit.oneTime.events.on('one_time_requested', ({ id, purpose, subject = '', expiresAtMs }) => {
      if (!isLinkKind(purpose)) return
      send(id, async () => {
        const to = await addressOf(subject)
        if (to === undefined) return undefined
        const link = linkOf(settings.linkBase, purpose, kit.oneTime.tokenFor(id))
        return { kind: purpose, to, subject, link, expiresAt: isoTime(expiresAtMs) }
      })
    }),
    ...(['password_reset', 'password_changed'] as const).map((type) =>
      kit.accounts.events.on(type, ({ subject = '' }) =>
        send(undefined, async () => {
          const to = await addressOf(subject)
          const kind = type === 'password_reset' ? 'password_was_reset' : 'password_was_changed'
          return to === undefined ? undefined : { kind, to, subject }
        }),
      ),
    ),
  ]
  return () => {
    for (const stop of stops) stop()
  }
}

/** Runs the program once. What it prints is dropped: it may repeat what it got. Returns what went wrong. */
function run(command: string, input: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    const child = spawn(command, [], {
      env: withoutOurs(process.env),
      stdio: ['pipe', 'ignore', 'ignore'],
      timeout: TIMEOUT_MS,
      killSignal: 'SIGKILL',
    })
    child.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.name))
    child.on('close', (code, signal) => resolve(code === 0 ? undefined : (signal ?? `exit code ${code}`)))
    // A program that ends without reading is judged by its exit code.
    child.stdin.on('error', () => undefined)
    child.stdin.end(`${input}\n`)
  })
}

/** The environment without our own settings: the address of a store may hold its password, and `pg` reads one from PGPASSWORD. */
function withoutOurs(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(
    Object.entries(env).filter(([name]) => !/^(COUNTERSIGN_|REDIS_URL$|DATABASE_URL$|PGPASSWORD$)/.test(name)),
  )
}
