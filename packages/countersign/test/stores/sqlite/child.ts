// Another process on the same file. What it has to say goes to stdout, one line each, written before anything else.
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import type { SessionId } from 'countersign/stores/contract'
import { sqliteStore } from 'countersign/stores/sqlite'
import { loadDriver } from '../../../src/stores/sqlite/driver.ts'
import { say } from '../../support/say.ts'

const [job = '', file = '', ...rest] = process.argv.slice(2)

const jobs: Readonly<Record<string, () => Promise<void>>> = {
  /** Takes the write lock and keeps it. Then says how late its timers were (99 of 100, in ms) while it did nothing. */
  async hold() {
    const { DatabaseSync } = await loadDriver()
    const database = new DatabaseSync(file)
    database.exec('BEGIN IMMEDIATE')
    say('held')
    const loop = monitorEventLoopDelay({ resolution: 5 })
    loop.enable()
    await sleep(Number(rest[0]))
    database.exec('ROLLBACK')
    say('released')
    say(String(loop.percentile(99) / 1e6))
  },

  /** Adds one to the number in a session's data, so many times, taking each conflict as the invitation to try again. */
  async count() {
    const store = sqliteStore({ file, busyDeadline: '30s' })
    const id = rest[0] as SessionId
    say('ready')
    await new Promise((resolve) => process.stdin.once('data', resolve))
    const found = await store.sessions.read(id)
    if (found.is !== 'live') throw new Error(`the session is ${found.is}`)
    let { record } = found
    for (let left = Number(rest[1]); left > 0; ) {
      const data = String(Number(record.data) + 1)
      const done = await store.sessions.update(id, { data }, record.version, record.createdAtMs)
      if (done.is === 'stored') left--
      else if (done.is !== 'conflict') throw new Error(`the update is ${done.is}`)
      record = done.record
    }
    await store.lifecycle.close()
    say('done')
    process.stdin.destroy()
  },

  /** Opens the store as a server does at its start. */
  async start() {
    const store = sqliteStore({ file, busyDeadline: '30s' })
    await store.lifecycle.ready('fingerprint')
    say((await store.sessions.floor()).marker)
    await store.lifecycle.close()
  },
}

await jobs[job]!()
