// Every store that there is, opened on data of its own, for suites that hold on all of them.
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Runtime } from 'countersign'
import type { Store } from 'countersign/stores/contract'
import { memoryStore } from 'countersign/stores/memory'
import { postgresStore } from 'countersign/stores/postgres'
import { redisStore } from 'countersign/stores/redis'
import { sqliteStore } from 'countersign/stores/sqlite'
import pg from 'pg'
import { createClient } from 'redis'
import { startPostgres } from '../../../../tools/test-support/postgres-server.ts'
import { startRedis } from '../../../../tools/test-support/redis-server.ts'

export interface OpenedStore {
  readonly store: Store
  /** A second store on the same data, as another process would have it. */
  readonly another: () => Store
  /** All that is at rest, as bytes. */
  readonly atRest: () => Promise<readonly Buffer[]>
  readonly dispose: () => Promise<void>
}

/** @param runtime - For the stores that have no clock of their own. */
export const EVERY_STORE: readonly { readonly name: string; open(runtime?: Runtime): Promise<OpenedStore> }[] = [
  {
    name: 'memory',
    async open(runtime) {
      const store = memoryStore(runtime && { runtime })
      return { store, another: () => store, atRest: async () => [], dispose: () => store.lifecycle.close() }
    },
  },
  {
    name: 'sqlite',
    async open(runtime) {
      const folder = mkdtempSync(join(tmpdir(), 'countersign-every-'))
      const file = join(folder, 'sessions.db')
      const stores: Store[] = []
      const another = () => {
        const store = sqliteStore({ file, ...(runtime && { runtime }) })
        stores.push(store)
        return store
      }
      return {
        store: another(),
        another,
        atRest: async () => readdirSync(folder).map((name) => readFileSync(join(folder, name))),
        async dispose() {
          for (const store of stores) await store.lifecycle.close()
          rmSync(folder, { recursive: true, force: true })
        },
      }
    },
  },
  {
    name: 'redis',
    async open() {
      const server = await startRedis()
      const stores: Store[] = []
      const another = () => {
        const store = redisStore({ url: server.url, deadline: '20s' })
        stores.push(store)
        return store
      }
      return {
        store: another(),
        another,
        async atRest() {
          const client = await createClient({ url: server.url }).connect()
          try {
            const names = (await client.sendCommand(['KEYS', '*'])) as unknown as string[]
            const strings = []
            for (const name of names) {
              strings.push(Buffer.from(name))
              const type = String(await client.sendCommand(['TYPE', name]))
              const hex = await client.sendCommand([
                'EVAL',
                type === 'hash'
                  ? "local h='' for _,v in ipairs(redis.call('HGETALL',KEYS[1])) do for i=1,#v do h=h..string.format('%02x',v:byte(i)) end end return h"
                  : "local h='' local v=redis.call('GET',KEYS[1]) for i=1,#v do h=h..string.format('%02x',v:byte(i)) end return h",
                '1',
                name,
              ])
              strings.push(Buffer.from(String(hex), 'hex'))
            }
            return strings
          } finally {
            client.destroy()
          }
        },
        async dispose() {
          for (const store of stores) await store.lifecycle.close()
          await server.stop()
        },
      }
    },
  },
  {
    name: 'postgres',
    async open() {
      const server = await startPostgres({ settings: { log_statement: 'all', log_min_messages: 'info' } })
      const stores: Store[] = []
      const another = () => {
        const store = postgresStore({ url: server.url, deadline: '20s' })
        stores.push(store)
        return store
      }
      return {
        store: another(),
        another,
        async atRest() {
          const client = new pg.Client({ connectionString: server.url })
          await client.connect()
          try {
            const held: Buffer[] = [Buffer.from(await server.log())]
            const tables = await client.query(`SELECT oid::regclass::text AS name FROM pg_class
              WHERE relnamespace = 'countersign'::regnamespace AND relkind = 'r'`)
            for (const { name } of tables.rows) {
              for (const row of (await client.query(`SELECT * FROM ${name}`)).rows) {
                // Bytes as they are, whatever else as text.
                for (const value of Object.values(row))
                  held.push(Buffer.isBuffer(value) ? value : Buffer.from(String(value)))
              }
            }
            return held
          } finally {
            await client.end()
          }
        },
        async dispose() {
          for (const store of stores) await store.lifecycle.close()
          await server.stop()
        },
      }
    },
  },
]

/** Whether a secret is in the bytes: raw, as hex, or as base64 or base64url in any alignment. */
export function holdsSecret(bytes: Buffer, secret: Buffer): boolean {
  const forms: (string | Buffer)[] = [secret, secret.toString('hex'), secret.toString('hex').toUpperCase()]
  for (const shift of [0, 1, 2]) {
    for (const encoding of ['base64', 'base64url'] as const) {
      // Without the characters that the bytes around it have a part in.
      forms.push(
        Buffer.concat([Buffer.alloc(shift), secret])
          .toString(encoding)
          .replace(/=+$/, '')
          .slice(shift ? shift + 1 : 0, -1),
      )
    }
  }
  return forms.some((form) => bytes.includes(form))
}
