// A load on the library in a process that is made to be killed. Says every entry of its history, one line each.
import { loadAll } from '../../../../tools/test-support/crash/load.ts'
import { Random } from '../../../../tools/test-support/random.ts'
import { say } from '../support/say.ts'
import { openLibrary, type Place } from './library.ts'

export interface ChildSetup {
  readonly place: Place
  readonly keyring: object
  /** Of its subjects. */
  readonly name: string
  readonly seed: number
}

const { place, keyring, name, seed } = JSON.parse(process.argv[2]!) as ChildSetup
const { verbs, close } = await openLibrary(place, keyring)
await loadAll(verbs, name, new Random(seed), (entry) => say(JSON.stringify(entry)))
await close()
