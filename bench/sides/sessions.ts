// The sessions of this library as all sides that need some make them.

import { allowlist, generateKeyring, type KeyringFile, loadKeyring, opaque } from 'countersign'
import { z } from 'zod'
import { AUDIENCE, DATA, ISSUER, LIFETIME_SECONDS, ROLES, subjectOf } from './content.ts'

export type { KeyringFile }

export const SESSIONS_OPTIONS = {
  timeouts: { idle: '30m', absolute: '7d' },
  roles: ROLES,
  // The data is checked when it is written, not when it is read.
  data: z.looseObject({}),
} as const

/** The recommended strategy, which most groups measure. */
export const ALLOWLIST = allowlist({ issuer: ISSUER, audience: AUDIENCE, accessLifetime: `${LIFETIME_SECONDS}s` })
/** The same, for a rotation after a second. */
export const ALLOWLIST_QUICK = allowlist({ issuer: ISSUER, audience: AUDIENCE, grace: '1s' })
export const OPAQUE = opaque({ audience: AUDIENCE })

/** `allowlist` by its name, else `opaque`. As one type: what the two have in common is enough for a server. */
export const strategyOf = (kind: string): typeof OPAQUE =>
  kind.startsWith('allowlist') ? (ALLOWLIST as unknown as typeof OPAQUE) : OPAQUE

let file: KeyringFile | undefined
/** One keyring a process. */
export function keyringFile(): KeyringFile {
  file ??= generateKeyring({ signing: ['HS256'] })
  return file
}
export const keyring = (given: KeyringFile = keyringFile()) => loadKeyring(given)

/** What is needed of sessions to log in, whatever their strategy. */
interface Issues {
  issue(input: {
    subject: string
    roles: readonly string[]
    data: typeof DATA
  }): Promise<{ ok: true; accessToken: string } | { ok: false; reason: string }>
}

/** Logs in this many sessions, a hundred at a time, and gives their access tokens. */
export async function issueAll(sessions: Issues, count: number): Promise<string[]> {
  const tokens: string[] = []
  while (tokens.length < count) {
    const batch = Array.from({ length: Math.min(100, count - tokens.length) }, (_, at) =>
      sessions.issue({ subject: subjectOf(tokens.length + at), roles: ROLES, data: DATA }),
    )
    for (const issued of await Promise.all(batch)) {
      if (!issued.ok) throw new Error(`refused: ${issued.reason}`)
      tokens.push(issued.accessToken)
    }
  }
  return tokens
}

export const NEAR_CACHE = { nearCache: {} } as const
export const NO_NEAR_CACHE = { nearCache: false } as const
