// Fills a Redis with sessions, tells how many there are, and writes some of their tokens to a file.
import { writeFileSync } from 'node:fs'
import { createSessions } from 'countersign'
import { redisStore } from 'countersign/stores/redis'
import { mulberry32 } from '../harness/stats.ts'
import { DATA, ROLES, subjectOf } from './content.ts'
import { ALLOWLIST, type KeyringFile, keyring, SESSIONS_OPTIONS } from './sessions.ts'

export interface ToldFill {
  readonly redis: string
  readonly sessions: number
  /** What is known of the device: nothing; its id, label and class, and the address; or the user agent as well. */
  readonly knows: 'nothing' | 'device' | 'user agent'
  readonly keyring: KeyringFile
  /** Where tokens of sessions drawn at random go, one a line. */
  readonly tokens?: string
  readonly keep?: number
}
/** A line of output. */
export interface Filled {
  readonly filled: number
}

const told = JSON.parse(process.argv[2]!) as ToldFill
const sessions = createSessions({
  ...SESSIONS_OPTIONS,
  strategy: ALLOWLIST,
  keyring: await keyring(told.keyring),
  // Filling is not measured, and may take its time on a machine that does other things too.
  store: redisStore({ url: told.redis, deadline: '30s' }),
})
const USER_AGENT =
  'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36'
const random = mulberry32(told.sessions)
const kept: string[] = []
const AT_ONCE = 200

for (let done = 0; done < told.sessions; ) {
  const batch = Array.from({ length: Math.min(AT_ONCE, told.sessions - done) }, (_, at) => login(done + at))
  for (const token of await Promise.all(batch)) {
    // Every session has the same chance to be among the tokens that are kept.
    if (random() < (told.keep ?? 0) / told.sessions) kept.push(token)
  }
  done += batch.length
  if (done % 10_000 === 0 || done === told.sessions) console.log(JSON.stringify({ filled: done } satisfies Filled))
}
if (told.tokens !== undefined) writeFileSync(told.tokens, kept.join('\n'), { mode: 0o600 })
await sessions.close()
process.exit(0)

async function login(number: number): Promise<string> {
  const device = told.knows !== 'nothing' && {
    device: { id: `device-${String(number).padStart(9, '0')}`, label: 'Chrome on Windows', class: 'browser' as const },
    context: { ip: `203.0.113.${number % 256}`, ...(told.knows === 'user agent' && { userAgent: USER_AGENT }) },
  }
  const issued = await sessions.issue({ subject: subjectOf(number), roles: ROLES, data: DATA, ...device })
  if (!issued.ok) throw new Error(`refused: ${issued.reason}`)
  return issued.accessToken
}
