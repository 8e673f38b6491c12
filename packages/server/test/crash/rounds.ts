// One round of a crash test on the real service: a load over HTTP, a crash, and what was lost.
import { expect, onTestFinished } from 'vitest'
import { check, type Loss, weaknesses } from '../../../../tools/test-support/crash/check.ts'
import type { History } from '../../../../tools/test-support/crash/history.ts'
import { loadUntil } from '../../../../tools/test-support/crash/load.ts'
import type { Random } from '../../../../tools/test-support/random.ts'
import { type ServerProcess, startServer } from '../../../../tools/test-support/server-process.ts'
import { httpVerbs } from './http-verbs.ts'

/** Every refresh but the quickest rotates, and nothing expires while a long test runs. */
const LIFETIMES = ['--grace', '0.001s', '--access-lifetime', '1d', '--idle', '1d']

/** Starts the service. It does not outlive the test. */
export async function serve(flags: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<ServerProcess> {
  const server = await startServer([...LIFETIMES, '--log-level', 'warn', ...flags], env)
  onTestFinished(async () => {
    await server.stop('SIGKILL')
  })
  return server
}

/** Loads the service until `crash` takes it, or its store, away. */
export function crashUnderLoad(crash: () => Promise<unknown>, url: string, random: Random): Promise<History> {
  return loadUntil(crash, { verbs: httpVerbs(url), random, answers: 30 + random.below(60) })
}

export function lossesIn(histories: readonly History[], url: string): Promise<Loss[]> {
  return check(histories, httpVerbs(url))
}

/** At the end: what one crash left, the later ones left too, and there was something to lose. */
export async function expectAll(histories: readonly History[], url: string): Promise<void> {
  // Over HTTP only "revoke all" says how durable it is.
  expect(weaknesses(histories, ['login', 'refresh', 'revoke'])).toEqual([])
  expect(await lossesIn(histories, url)).toEqual([])
}
