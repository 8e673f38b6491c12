// The stores of the golden records: what is in them byte by byte, and how to put it into an empty one.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Runtime, Store } from 'countersign'
import { postgresStore } from 'countersign/stores/postgres'
import { redisStore } from 'countersign/stores/redis'
import { sqliteStore } from 'countersign/stores/sqlite'
import pg from 'pg'
import { createClient, RESP_TYPES } from 'redis'
import { startPostgres } from '../../../../tools/test-support/postgres-server.ts'
import { startRedis } from '../../../../tools/test-support/redis-server.ts'
import { loadDriver } from '../../src/stores/sqlite/driver.ts'

/** Key or table → what it holds. Bytes as hex. */
export type Dump = Readonly<Record<string, unknown>>

export interface GoldenStore {
  readonly store: Store
  /** Without what the first start makes up: marker, times of migrations. */
  dump(): Promise<Dump>
  /** Before the store is used, and after `prepare`. */
  load(dump: Dump): Promise<void>
  dispose(): Promise<void>
}

type Row = Record<string, unknown>
const OWN_TABLES = ['subjects', 'sessions', 'revocations', 'accounts', 'once', 'claims']

export const GOLDEN_STORES: Readonly<
  Record<'redis' | 'sqlite' | 'postgres', (runtime: Runtime) => Promise<GoldenStore>>
> = {
  async redis(runtime) {
    const server = await startRedis()
    const store = redisStore({ url: server.url, runtime })
    const raw = createClient({ url: server.url }).withTypeMapping({ [RESP_TYPES.BLOB_STRING]: Buffer })
    await raw.connect()
    const hex = (value: unknown) => (value as Buffer).toString('hex')
    return {
      store,
      async dump() {
        const names = ((await raw.keys('*')) as unknown as Buffer[]).map(String).filter((name) => name !== 'cs:{floor}')
        const entries = names.sort().map(async (name) => {
          if (String(await raw.type(name)) === 'string') return [name, hex(await raw.get(name))]
          const fields = Object.entries((await raw.hGetAll(name)) as unknown as Record<string, Buffer>)
          return [name, Object.fromEntries(fields.sort().map(([field, value]) => [field, hex(value)]))]
        })
        return Object.fromEntries(await Promise.all(entries))
      },
      async load(dump) {
        for (const [name, value] of Object.entries(dump)) {
          if (typeof value === 'string') await raw.set(name, Buffer.from(value, 'hex'))
          else
            for (const [field, bytes] of Object.entries(value as Record<string, string>))
              await raw.hSet(name, field, Buffer.from(bytes, 'hex'))
        }
      },
      async dispose() {
        raw.destroy()
        await store.lifecycle.close()
        await server.stop()
      },
    }
  },

  async sqlite(runtime) {
    const folder = mkdtempSync(join(tmpdir(), 'countersign-golden-'))
    const file = join(folder, 'sessions.db')
    const store = sqliteStore({ file, runtime })
    const { DatabaseSync } = await loadDriver()
    const within = <T>(work: (database: InstanceType<typeof DatabaseSync>) => T): T => {
      const database = new DatabaseSync(file)
      try {
        return work(database)
      } finally {
        database.close()
      }
    }
    return {
      store,
      dump: async () =>
        within((database) =>
          Object.fromEntries(
            OWN_TABLES.map((table) => [table, database.prepare(`SELECT * FROM ${table} ORDER BY 1, 2`).all() as Row[]]),
          ),
        ),
      async load(dump) {
        within((database) => {
          for (const [table, rows] of Object.entries(dump) as [string, Row[]][]) {
            for (const row of rows) {
              const columns = Object.keys(row)
              database
                .prepare(`INSERT INTO ${table} (${columns.join()}) VALUES (${columns.map(() => '?').join()})`)
                .run(...(Object.values(row) as string[]))
            }
          }
        })
      },
      async dispose() {
        await store.lifecycle.close()
        rmSync(folder, { recursive: true, force: true })
      },
    }
  },

  async postgres(runtime) {
    const server = await startPostgres()
    const store = postgresStore({ url: server.url, runtime })
    const raw = new pg.Client({ connectionString: server.url })
    await raw.connect()
    const tables = [...OWN_TABLES, 'denials']
    return {
      store,
      async dump() {
        const entries: [string, unknown][] = []
        for (const table of tables) {
          const { rows } = await raw.query(`SELECT row_to_json(t) AS row FROM countersign.${table} AS t ORDER BY t`)
          // Computed by the database from another column.
          entries.push([table, rows.map(({ row: { sweep_bucket: _, ...row } }) => row)])
        }
        return Object.fromEntries(entries)
      },
      async load(dump) {
        for (const [table, rows] of Object.entries(dump) as [string, Row[]][]) {
          for (const row of rows) {
            const columns = Object.keys(row).join()
            await raw.query(
              `INSERT INTO countersign.${table} (${columns}) OVERRIDING SYSTEM VALUE
                SELECT ${columns} FROM json_populate_record(NULL::countersign.${table}, $1)`,
              [JSON.stringify(row)],
            )
          }
        }
      },
      async dispose() {
        await raw.end()
        await store.lifecycle.close()
        await server.stop()
      },
    }
  },
}
