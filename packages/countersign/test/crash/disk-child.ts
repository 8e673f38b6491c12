// A process whose power is cut after it has said that it is done.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { samples } from 'countersign/conformance'
import type { SessionId } from 'countersign/stores/contract'
import { sqliteStore } from 'countersign/stores/sqlite'
import { say } from '../support/say.ts'
import { everyStep } from './steps.ts'

const { createRule, recordOf, subjectRef } = samples

const [job = '', file = ''] = process.argv.slice(2)
const store = sqliteStore({ file })

const jobs: Readonly<Record<string, () => Promise<void>>> = {
  steps,
  /** Opens the store and says so before, to be killed meanwhile. */
  async open() {
    say('opening')
    await store.lifecycle.ready('fingerprint')
  },
  /** The last writes are touches. */
  async touch() {
    const id = await session()
    await touch(id)
  },
  /** A touch, and an update after it. */
  async 'touch, update'() {
    const id = await session()
    await touch(id)
    await update(id)
  },
  /** Stops in good order. */
  async 'update, close'() {
    const id = await session()
    await update(id)
    await store.lifecycle.close()
  },
}

/** Every step, and whether it had waited for the disk when it was acknowledged. */
async function steps(): Promise<void> {
  await store.lifecycle.ready('fingerprint')
  for (const [name, step] of everyStep(store)) {
    const before = logSyncs()
    await step()
    say(`${name}: ${logSyncs() > before ? 'on the disk' : 'later'}`)
  }
}

/** How often the log was synced with something new in it. */
function logSyncs(): number {
  const syncs = readFileSync(join(process.env.POWER_LOSS_DISK!, 'syncs'), 'utf8')
  return syncs.match(/^[1-9]\d* .*-wal$/gm)?.length ?? 0
}

async function session(): Promise<SessionId> {
  const record = recordOf(subjectRef())
  await store.lifecycle.ready('fingerprint')
  await store.sessions.create(record, createRule, record.createdAtMs)
  say(record.id)
  return record.id
}

async function touch(id: SessionId): Promise<void> {
  const { createdAtMs } = recordOf(subjectRef())
  for (let minute = 1; minute <= 3; minute++) {
    await store.sessions.touch(id, { idleAtMs: createdAtMs + 60 * 60_000 + minute }, createdAtMs + minute)
  }
}

async function update(id: SessionId): Promise<void> {
  const done = await store.sessions.update(id, { data: '"updated"' }, 1, recordOf(subjectRef()).createdAtMs)
  if (done.is !== 'stored') throw new Error(`the update is ${done.is}`)
}

await jobs[job]!()
say('done')
// Until it is killed.
setInterval(() => undefined, 1_000)
