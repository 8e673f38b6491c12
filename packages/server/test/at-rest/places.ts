// Where a store leaves something behind, with everything in it that could be read by somebody who got hold of it.
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { type PostgresServer, startPostgres } from '../../../../tools/test-support/postgres-server.ts'
import { type RedisServer, startRedis } from '../../../../tools/test-support/redis-server.ts'
import { encode } from '../../../../tools/test-support/resp.ts'
import { type Place, unescapePostgres, unescapeRedis } from '../../../../tools/test-support/secret-search.ts'
import { loadDriver } from '../../../countersign/src/stores/sqlite/driver.ts'

/** A store that a whole run uses, and what is to be searched after it. The next store only has to add one of these. */
export interface Backing {
  /** What `--store` gets. */
  readonly location: string
  /** Secrets of the store's own: passwords of its users. */
  readonly secrets: readonly string[]
  /** Names of the places that hold everything the store was told: a secret that it was given must be found in each. */
  readonly told: readonly string[]
  /** What only shows while somebody has it open. Called several times. */
  whileOpen(): Place[]
  /** After everybody has closed. */
  afterwards(): Promise<Place[]>
  stop(): Promise<void>
}

/** A SQLite file: the file and its log as they are, and every value of every table, which a page end may cut in two. */
export async function sqliteBacking(dir: string): Promise<Backing> {
  const file = join(dir, 'countersign.db')
  return {
    location: `sqlite:${file}`,
    secrets: [],
    told: ['SQLite log', 'SQLite tables', 'SQLite file'],
    whileOpen() {
      return [
        { name: 'SQLite log', content: readFileSync(`${file}-wal`) },
        { name: 'SQLite file while open', content: readFileSync(file) },
      ]
    },
    async afterwards() {
      const { DatabaseSync } = await loadDriver()
      const database = new DatabaseSync(file)
      const tables = database.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'").all() as { name: string }[]
      const values = tables.flatMap(({ name }) =>
        database
          .prepare(`SELECT * FROM "${name}"`)
          .all()
          .flatMap((row) => Object.values(row as object)),
      )
      database.close()
      const content = Buffer.concat(
        values.flatMap((value) => [
          value instanceof Uint8Array ? value : Buffer.from(String(value)),
          Buffer.from('\n'),
        ]),
      )
      return [
        { name: 'SQLite tables', content },
        { name: 'SQLite file', content: readFileSync(file) },
      ]
    },
    stop: async () => undefined,
  }
}

export const PASSWORD = 'a-long-password-of-the-store-user'

/** A Redis with everything switched on that writes down what it was told. */
export async function redisBacking(): Promise<Backing> {
  const redis = await startRedis({
    appendonly: true,
    appendfsync: 'always',
    policy: 'noeviction',
    requirepass: PASSWORD,
    // Compressed text cannot be searched; whoever steals the file would decompress it.
    args: ['--slowlog-log-slower-than', '0', '--slowlog-max-len', '1000000', '--rdbcompression', 'no'].concat([
      ...['--loglevel', 'debug'],
    ]),
  })
  const monitor = await startMonitor(redis)
  return {
    location: redis.url,
    secrets: [PASSWORD],
    told: ['Redis MONITOR', 'Redis SLOWLOG', 'Redis AOF', 'Redis RDB'],
    whileOpen: () => [],
    async afterwards() {
      const slowlog = await answersOf(redis, [['SLOWLOG', 'GET', '-1']])
      await answersOf(redis, [['SAVE']])
      const shown = monitor()
      const files = filesBelow(redis.dir).map((file) => {
        const kind = file.endsWith('.log') ? 'log' : file.includes('appendonly') ? 'AOF' : 'RDB'
        return { name: `Redis ${kind}`, content: readFileSync(file) }
      })
      return [
        { name: 'Redis SLOWLOG', content: slowlog },
        { name: 'Redis MONITOR', content: unescapeRedis(shown) },
        { name: 'Redis MONITOR as shown', content: shown },
        ...files,
      ]
    },
    stop: () => redis.stop(),
  }
}

/** A PostgreSQL whose log has every statement with its values. */
export async function postgresBacking(): Promise<Backing> {
  const postgres = await startPostgres({
    password: PASSWORD,
    settings: { log_statement: 'all', log_parameter_max_length: '-1', log_min_messages: 'info' },
  })
  return {
    location: postgres.url,
    secrets: [PASSWORD],
    told: ['PostgreSQL log', 'PostgreSQL tables', 'PostgreSQL files', 'PostgreSQL WAL'],
    whileOpen: () => [],
    async afterwards() {
      const content = await valuesOf(postgres)
      await postgres.query('CHECKPOINT')
      const log = await postgres.log()
      const files = filesBelow(postgres.data).map((file) => ({
        name: `PostgreSQL ${file.includes('/pg_wal/') ? 'WAL' : 'files'}`,
        content: readFileSync(file),
      }))
      return [
        { name: 'PostgreSQL tables', content },
        { name: 'PostgreSQL log', content: unescapePostgres(log) },
        { name: 'PostgreSQL log as shown', content: log },
        ...files,
      ]
    },
    stop: () => postgres.stop(),
  }
}

/** Every value of every table, bytes as they are. */
async function valuesOf(postgres: PostgresServer): Promise<Buffer> {
  const tables = await postgres.query("SELECT tablename FROM pg_tables WHERE schemaname = 'countersign'")
  const chunks: Buffer[] = []
  for (const { tablename } of tables)
    for (const row of await postgres.query(`SELECT * FROM countersign.${tablename}`))
      for (const value of Object.values(row))
        chunks.push(Buffer.isBuffer(value) ? value : Buffer.from(JSON.stringify(value)), Buffer.from('\n'))
  return Buffer.concat(chunks)
}

/** All files below a folder. */
export function filesBelow(dir: string): string[] {
  return (readdirSync(dir, { recursive: true }) as string[])
    .map((name) => join(dir, name))
    .filter((path) => statSync(path).isFile())
}

/** Sends commands on a connection of their own and gives the bytes of all answers. */
function answersOf(redis: RedisServer, commands: readonly (readonly string[])[]): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    const socket = connect({ port: redis.port, host: '127.0.0.1' })
    socket.once('error', reject)
    socket.on('data', (chunk) => {
      chunks.push(chunk)
      if (!chunk.toString('latin1').endsWith('+PONG\r\n')) return
      socket.end()
      resolve(Buffer.concat(chunks))
    })
    socket.write([['AUTH', PASSWORD], ...commands, ['PING']].map(encode).join(''))
  })
}

/** Everything that Redis is told from now on, as `MONITOR` shows it. */
async function startMonitor(redis: RedisServer): Promise<() => string> {
  const chunks: Buffer[] = []
  const socket = connect({ port: redis.port, host: '127.0.0.1' })
  socket.unref()
  await new Promise<void>((resolve, reject) => {
    socket.once('error', reject)
    socket.once('data', () => resolve())
    socket.write([['AUTH', PASSWORD], ['MONITOR']].map(encode).join(''))
  })
  socket.on('error', () => undefined)
  socket.on('data', (chunk) => chunks.push(chunk))
  return () => Buffer.concat(chunks).toString('latin1')
}
