// A store of your own: everything about one subject is one JSON document in one row, and every step is one transaction
// on that row. What the steps do is Countersign's; what is here is where things are kept. Explained in
// docs/write-your-own-store.md, tested by document-store.test.ts with the published suites.
import { randomBytes } from 'node:crypto'
import { DatabaseSync } from '@photostructure/sqlite' // From Node 22.13 on, 'node:sqlite' is the same.
import { CountersignError } from 'countersign'
import type { SessionId, SessionRecord, Store, Tombstone } from 'countersign/stores/contract'
import {
  EPOCH_KEEP_MS,
  type Gate,
  type Kept,
  keepUntilMs,
  type RevocationState,
  type Section,
  type Shard,
  stepStore,
} from 'countersign/stores/steps'

interface Document {
  gate: Gate | undefined
  revocations: RevocationState | undefined
  kept: Map<SessionId, Kept>
}

class DocumentShard implements Shard {
  readonly document: Document
  constructor(document: Document) {
    this.document = document
  }

  gate = () => this.document.gate
  setGate(gate: Gate) {
    this.document.gate = gate
  }
  revocations = () => this.document.revocations
  setRevocations(state: RevocationState) {
    this.document.revocations = state
  }
  find = (id: SessionId) => this.document.kept.get(id)
  records = () => [...this.document.kept.values()].flatMap((kept) => (kept.is === 'live' ? [kept.record] : []))
  tombstones = () => [...this.document.kept.values()].flatMap((kept) => (kept.is === 'ended' ? [kept.tombstone] : []))
  put(record: SessionRecord) {
    this.document.kept.set(record.id, { is: 'live', record })
  }
  bury(tombstone: Tombstone) {
    this.document.kept.set(tombstone.id, { is: 'ended', tombstone })
  }
  forget(id: SessionId) {
    this.document.kept.delete(id)
  }
}

/** JSON, which has no form for bytes and maps. The gate is kept beside it. */
function encode({ revocations, kept }: Document): string {
  const text = (bytes: Uint8Array | null) => bytes && Buffer.from(bytes).toString('base64')
  return JSON.stringify({
    revocations: revocations && { ...revocations, sids: [...revocations.sids], jtis: [...revocations.jtis] },
    kept: [...kept.values()].map((one) => {
      if (one.is === 'ended') return one
      const { hash, previousHash } = one.record
      return { is: 'live', record: { ...one.record, hash: text(hash), previousHash: text(previousHash) } }
    }),
  })
}

function decode(json: string, gate: Gate | undefined): Document {
  const bytes = (text: string | null) => text && new Uint8Array(Buffer.from(text, 'base64'))
  const { revocations, kept } = JSON.parse(json)
  for (const { record } of kept) {
    if (record) Object.assign(record, { hash: bytes(record.hash), previousHash: bytes(record.previousHash) })
  }
  return {
    gate,
    revocations: revocations && { ...revocations, sids: new Map(revocations.sids), jtis: new Map(revocations.jtis) },
    kept: new Map((kept as Kept[]).map((one) => [one.is === 'live' ? one.record.id : one.tombstone.id, one])),
  }
}

const untilMs = (kept: Kept) => (kept.is === 'live' ? keepUntilMs(kept.record) : kept.tombstone.keepUntilMs)

/** When the first thing of a document may be forgotten. Never, where a blocked subject is all there is. */
function dueMs({ gate, revocations, kept }: Document): number {
  const times = [...kept.values()].map(untilMs)
  if (gate && !gate.blocked) times.push(gate.movedAtMs + EPOCH_KEEP_MS)
  if (revocations) times.push(revocations.untilMs)
  return Math.min(...times, Number.MAX_SAFE_INTEGER)
}

/** Forgets what is over, at most `limit` things, and returns how many that were. */
function forgetOver(document: Document, nowMs: number, limit: number): number {
  let gone = 0
  for (const [id, kept] of document.kept) {
    if (gone < limit && untilMs(kept) <= nowMs && document.kept.delete(id)) gone++
  }
  if (gone < limit && document.revocations && document.revocations.untilMs <= nowMs) {
    document.revocations = undefined
    gone++
  }
  if (gone < limit && document.gate && !document.gate.blocked && document.gate.movedAtMs + EPOCH_KEEP_MS <= nowMs) {
    document.gate = undefined
    gone++
  }
  return gone
}

type Database = InstanceType<typeof DatabaseSync>

/** Sessions in one SQLite file. It has no accounts and no one-time tokens: what needs those does not compile with it. */
export function documentStore(options: {
  readonly file: string
}): Pick<Store, 'sessions' | 'revocations' | 'lifecycle'> {
  let database: Database | undefined
  let closed = false
  let latestMs = 0

  function open(): Database {
    if (closed) throw new CountersignError('ERR_CLOSED', 'the document store is closed', { store: 'document' })
    if (database) return database
    const opened = new DatabaseSync(options.file)
    try {
      opened.exec(`
        PRAGMA busy_timeout = 2000; -- waits where it stands, and with it the whole process
        PRAGMA journal_mode = WAL;
        PRAGMA synchronous = FULL; -- a write that was acknowledged is on the disk
        CREATE TABLE IF NOT EXISTS subjects
          (tag TEXT PRIMARY KEY, gate TEXT, document TEXT NOT NULL, due_ms INTEGER NOT NULL);
        CREATE INDEX IF NOT EXISTS subjects_by_due ON subjects (due_ms);
        CREATE TABLE IF NOT EXISTS store
          (id INTEGER PRIMARY KEY CHECK (id = 1), marker TEXT NOT NULL, placement TEXT,
          floor_ms INTEGER NOT NULL DEFAULT 0, floor_why TEXT NOT NULL DEFAULT 'admin');
      `)
      opened.prepare('INSERT OR IGNORE INTO store (id, marker) VALUES (1, ?)').run(randomBytes(12).toString('hex'))
    } catch (error) {
      opened.close()
      throw error
    }
    database = opened
    return opened
  }

  /** Whatever goes wrong with the database is a fault: it was neither a yes nor a no. */
  async function guarded<T>(work: (database: Database) => T): Promise<T> {
    try {
      return work(open())
    } catch (cause) {
      if (cause instanceof CountersignError) throw cause
      const isBusy = ((cause as { errcode?: number }).errcode ?? 0) % 256 === 5 // SQLITE_BUSY and its kinds
      const [code, problem] = isBusy
        ? (['ERR_STORE_TIMEOUT', 'another process held the lock for too long'] as const)
        : (['ERR_STORE_UNAVAILABLE', 'the database failed'] as const)
      // The file is there: what another process holds up are writes, and reads go on.
      const more = { answered: true, ...(isBusy && { retryable: true }) }
      throw new CountersignError(code, problem, { store: 'document', cause, ...more })
    }
  }

  /** Nobody else reads or writes between `BEGIN IMMEDIATE` and `COMMIT`. */
  function transaction<T>(work: (database: Database) => T): Promise<T> {
    return guarded((database) => {
      database.exec('BEGIN IMMEDIATE')
      try {
        const done = work(database)
        database.exec('COMMIT')
        return done
      } catch (error) {
        try {
          database.exec('ROLLBACK')
        } catch {
          // SQLite has done so itself.
        }
        throw error
      }
    })
  }

  function load(database: Database, tag: string, how?: 'weak' | 'ending'): DocumentShard {
    const row = database.prepare('SELECT gate, document FROM subjects WHERE tag = ?').get(tag) as
      | { readonly gate: string | null; readonly document: string }
      | undefined
    const gate = row?.gate ? (JSON.parse(row.gate) as Gate) : undefined
    const empty: Document = { gate, revocations: undefined, kept: new Map() }
    if (!row) return new DocumentShard(empty)
    try {
      return new DocumentShard(decode(row.document, gate))
    } catch (cause) {
      // Nothing may stay alive for being damaged: what ends sessions goes on without it, everything else is refused.
      if (how === 'ending') return new DocumentShard(empty)
      throw new CountersignError('ERR_STORE_CORRUPT', 'a document is damaged', { store: 'document', cause })
    }
  }

  function save(database: Database, tag: string, { document }: DocumentShard): void {
    const { gate, revocations, kept } = document
    if (!gate && !revocations && kept.size === 0) {
      database.prepare('DELETE FROM subjects WHERE tag = ?').run(tag)
      return
    }
    const put = database.prepare('INSERT OR REPLACE INTO subjects (tag, gate, document, due_ms) VALUES (?, ?, ?, ?)')
    put.run(tag, gate ? JSON.stringify(gate) : null, encode(document), dueMs(document))
  }

  const section: Section = {
    durability: 'fsynced',
    write: (tag, step, how) =>
      transaction((database) => {
        const shard = load(database, tag, how)
        const done = step(shard)
        save(database, tag, shard)
        return done
      }),
    read: (tag, step) => guarded((database) => step(load(database, tag))),
  }

  const floorOf = (database: Database) => {
    const row = database.prepare('SELECT * FROM store').get() as Record<string, string>
    return {
      notBeforeMs: Number(row.floor_ms),
      why: row.floor_why!,
      marker: row.marker!,
      placement: row.placement ?? null,
    }
  }

  const { sessions, revocations } = stepStore(section, {
    async floor() {
      const { placement: _, ...floor } = await guarded(floorOf)
      return floor
    },
    raiseFloor: (why, nowMs) =>
      transaction((database) => {
        const raise = 'UPDATE store SET floor_ms = ?, floor_why = ? WHERE floor_ms < ?'
        database.prepare(raise).run(nowMs, why, nowMs)
        return { notBeforeMs: floorOf(database).notBeforeMs, durability: 'fsynced' as const }
      }),
    sweep: (nowMs, limit) =>
      transaction((database) => {
        const due = database.prepare('SELECT tag FROM subjects WHERE due_ms <= ? ORDER BY due_ms LIMIT ?')
        let gone = 0
        for (const { tag } of due.all(nowMs, limit) as { tag: string }[]) {
          const shard = load(database, tag, 'ending')
          gone += forgetOver(shard.document, nowMs, limit - gone)
          save(database, tag, shard)
        }
        return gone
      }),
  })

  return {
    sessions,
    revocations,
    lifecycle: {
      name: 'document',
      async ready(placement) {
        const kept = await transaction((database) => {
          database.prepare('UPDATE store SET placement = ? WHERE placement IS NULL').run(placement)
          return floorOf(database).placement
        })
        if (kept === placement) return
        throw new CountersignError('ERR_STORE_MISCONFIGURED', 'this store was made with another placement key', {
          store: 'document',
        })
      },
      health: () => ({ up: database !== undefined && !closed, keepsAll: true, warnings: [] }),
      nowMs() {
        latestMs = Math.max(latestMs, Date.now())
        return latestMs
      },
      async close() {
        closed = true
        database?.close()
        database = undefined
      },
    },
  }
}
