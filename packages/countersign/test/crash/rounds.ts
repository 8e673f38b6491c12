// One round of a crash test on the library: a load, a crash, and what was lost.
import { setTimeout as sleep } from 'node:timers/promises'
import { expect } from 'vitest'
import { check, type Loss, weaknesses } from '../../../../tools/test-support/crash/check.ts'
import { type Entry, History } from '../../../../tools/test-support/crash/history.ts'
import { loadUntil, nextName } from '../../../../tools/test-support/crash/load.ts'
import type { Random } from '../../../../tools/test-support/random.ts'
import { startScript } from '../stores/sqlite/support.ts'
import type { ChildSetup } from './child.ts'
import { openLibrary, type Place } from './library.ts'

export interface Run {
  readonly place: Place
  readonly keyring: object
  readonly random: Random
}

/** Enough for every verb to be among the answers. */
const someAnswers = (random: Random) => 60 + random.below(100)

/** Runs the load in a process of its own and kills it after so many answers. */
export async function killProcess(
  { place, keyring, random }: Run,
  { env = {}, answers = someAnswers(random) }: { env?: NodeJS.ProcessEnv; answers?: number } = {},
): Promise<History> {
  const setup: ChildSetup = { place, keyring, name: nextName(), seed: random.below(2 ** 31) }
  const child = startScript(new URL('child.ts', import.meta.url), [JSON.stringify(setup)], env)
  // Each call is two entries.
  await child.said(2 * answers)
  await sleep(random.below(20))
  child.process.kill('SIGKILL')
  expect(await child.ended).toMatchObject({ signal: 'SIGKILL' })
  const history = new History()
  for (const [index, line] of child.lines.entries()) {
    // Killed while it wrote.
    if (index === child.lines.length - 1 && !line.endsWith('}')) break
    history.add(JSON.parse(line) as Entry)
  }
  return history
}

/** Runs the load in this process until `crash` takes the server of the store away. */
export async function crashServer(crash: () => Promise<void>, { place, keyring, random }: Run): Promise<History> {
  const { verbs, close } = await openLibrary(place, keyring)
  try {
    return await loadUntil(crash, { verbs, random, answers: someAnswers(random) })
  } finally {
    await close()
  }
}

/** Compares with what is there now, which somebody else opens. */
export async function lossesIn(histories: readonly History[], { place, keyring }: Run): Promise<Loss[]> {
  const { verbs, close } = await openLibrary(place, keyring)
  try {
    return await check(histories, verbs)
  } finally {
    await close()
  }
}

/** At the end: what one crash left, the later ones left too, and there was something to lose. */
export async function expectAll(histories: readonly History[], run: Run): Promise<void> {
  expect(weaknesses(histories, ['login', 'refresh', 'update', 'revoke'])).toEqual([])
  expect(await lossesIn(histories, run)).toEqual([])
}
