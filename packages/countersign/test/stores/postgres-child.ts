// What the tests of the Postgres store run in processes of their own. Reports line by line on standard output.
import { writeSync } from 'node:fs'
import { postgresStore } from 'countersign/stores/postgres'

const [job = '', url = ''] = process.argv.slice(2)
const say = (line: string) => writeSync(1, `${line}\n`)

const jobs: Readonly<Record<string, () => Promise<void>>> = {
  /** Opens the store as a server does at its start. */
  async start() {
    const store = postgresStore({ url })
    await store.lifecycle.ready('fingerprint')
    say((await store.sessions.floor()).marker)
    await store.lifecycle.close()
  },
}

await jobs[job]!()
