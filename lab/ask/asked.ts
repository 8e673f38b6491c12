// What a question gets to work with.
import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { KeyringFile } from 'countersign'
import { type Finding, good, hole, late } from '../cell.ts'
import type { Row } from '../rows.ts'
import type { Tokens } from '../sides/told.ts'
import type { Client } from './client.ts'

export interface Asked {
  readonly row: Row
  /** Where people log in, and where things happen. */
  readonly issuer: Client
  /** Where tokens are presented. */
  readonly checkers: readonly Client[]
  readonly keyring: KeyringFile
  readonly secret: string
  /** From the acknowledgement on, the longest that we promise for this store. */
  readonly boundMs: number
}

export type Ask = (asked: Asked) => Promise<Finding>

/** Something that has to work before the question can be asked did not, and that is the answer. */
export class Found extends Error {
  readonly finding: Finding

  constructor(finding: Finding) {
    super(finding.text)
    this.finding = finding
  }
}

/** The machine was so busy that the token had come to its end by itself: the question is asked again. */
export class TooSlow extends Error {}

/** With less left of a token its end could not be told from a revocation. */
export const LEFT_MS = 2_000

export const nobody = (): string => `user-${randomUUID()}`
export const seconds = (ms: number): string => (ms < 1_000 ? `${Math.round(ms)} ms` : `${(ms / 1_000).toFixed(1)} s`)

/** Presents a token that must be good, until every checker knows it. */
export async function warm({ checkers }: Asked, tokens: Tokens, path = '/'): Promise<void> {
  for (const checker of checkers) {
    for (let time = 0; time < 2; time++) {
      const { status, body } = await checker.get(path, tokens.accessToken)
      if (status === 200) continue
      if (Date.now() >= tokens.accessExpiresAtMs) throw new TooSlow()
      throw new Found(hole('out by itself', `a token that nobody ended: ${status} ${body.reason ?? ''}`))
    }
  }
}

interface Death {
  readonly ms: number
  readonly said: string
}

/**
 * From now until every checker refuses: 401 or 403. `undefined`: not until two seconds past `exp`, or for six seconds.
 */
async function death({ checkers }: Asked, { accessToken, accessExpiresAtMs }: Tokens, path: string) {
  const ackMs = Date.now()
  const endMs = Math.min(accessExpiresAtMs, ackMs + 4_000) + 2_000
  const deaths = checkers.map(async (checker): Promise<Death | undefined> => {
    for (;;) {
      const { status, body } = await checker.get(path, accessToken)
      const now = Date.now()
      if (status === 401 || status === 403) return { ms: now - ackMs, said: `${status} ${body.reason ?? ''}` }
      if (now > endMs) return undefined
      await sleep(10)
    }
  })
  const all = await Promise.all(deaths)
  if (all.some((one) => one === undefined)) return undefined
  return all.reduce((last, one) => (one!.ms > last!.ms ? one : last))
}

/** Waits for the end of a token, and says in which of three ways it came. */
export async function untilDead(asked: Asked, tokens: Tokens, path = '/'): Promise<Finding> {
  const leftMs = tokens.accessExpiresAtMs - Date.now()
  if (leftMs < LEFT_MS) throw new TooSlow()
  const died = await death(asked, tokens, path)
  if (!died) return hole('still alive', `accepted for ${seconds(Math.min(leftMs, 4_000) + 2_000)}, and no end in sight`)
  const seen = `refused everywhere ${seconds(died.ms)} after the answer: ${died.said}`
  if (died.ms >= leftMs - 100) return late(`alive ${seconds(died.ms)}, to exp`, seen, died.ms)
  if (died.ms > asked.boundMs) return late(`alive ${seconds(died.ms)}`, seen, died.ms)
  return good(`dead, ${seconds(died.ms)}`, seen, died.ms)
}
