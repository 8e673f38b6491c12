// Every setting of the server, once: its flag, environment variable, meaning and default. `docs/configuration.md` shows
// the same table, and a test compares the two.
import type { Duration } from 'countersign'
import { type ClientSetting, clientList } from './clients.ts'
import {
  address,
  addresses,
  describeStore,
  integer,
  list,
  oneOf,
  origin,
  path,
  type Reader,
  type StoreLocation,
  storeLocation,
  text,
  yesNo,
} from './readers.ts'
import { type UpstreamSetting, upstreamList } from './upstreams.ts'

export interface Field<T> {
  /** As commander wants it: `--name <value>`, or `--name` for a switch. `null`: only in the JSON file. */
  readonly flag: string | null
  readonly env: readonly string[]
  readonly help: string
  readonly read: Reader<T>
  /** Absent: the setting may stay unset. */
  readonly fallback?: T
  /** How it is printed, where that differs from the value. */
  readonly print?: (value: NonNullable<T>) => string
  /** Also taken by the commands that administer a store. */
  readonly storage?: true
  /** A list: the flag may be repeated. */
  readonly repeat?: true
}

const field = <T>(f: Field<T>): Field<T> => f
/** Checked by the library itself, in `probe.ts`, so that there is one rule and one text. */
const duration = text(20) as Reader<Duration>

export const FIELDS = {
  host: field<string>({
    flag: '--host <address>',
    env: ['COUNTERSIGN_HOST'],
    help: 'address to listen on',
    read: text(255),
    fallback: '127.0.0.1',
  }),
  port: field<number>({
    flag: '--port <number>',
    env: ['COUNTERSIGN_PORT'],
    help: 'port to listen on; 0 = any free one',
    read: integer(0, 65_535),
    fallback: 8_080,
  }),
  publicUrl: field<string | undefined>({
    flag: '--public-url <url>',
    env: ['COUNTERSIGN_PUBLIC_URL'],
    help: 'what browsers call this server; default: the address it listens on',
    read: origin,
  }),
  linkUrl: field<string | undefined>({
    flag: '--link-url <url>',
    env: ['COUNTERSIGN_LINK_URL'],
    help: 'page that links for a new password and for verifying an address lead to; default: the public URL',
    read: address,
  }),
  mailCommand: field<string | undefined>({
    flag: '--mail-command <file>',
    env: ['COUNTERSIGN_MAIL_COMMAND'],
    help: 'program that sends one mail: run once for each, with one JSON object on its standard input',
    read: text(),
  }),
  issuer: field<string | undefined>({
    flag: '--issuer <url>',
    env: ['COUNTERSIGN_ISSUER'],
    help: '"iss" of access tokens; default: the public URL, else http://localhost',
    read: text(512),
  }),
  audience: field<readonly string[] | undefined>({
    flag: '--audience <list>',
    env: ['COUNTERSIGN_AUDIENCE'],
    help: '"aud" of access tokens; default: the issuer',
    read: list(text(512)),
    repeat: true,
  }),
  store: field<StoreLocation>({
    flag: '--store <location>',
    env: ['COUNTERSIGN_STORE', 'REDIS_URL'],
    help: 'sqlite, sqlite:FILE, redis://…, redis-cluster://…, redis-sentinel://…?name=…, postgres://…, or memory (gone when the process ends)',
    read: storeLocation,
    fallback: { kind: 'sqlite' },
    print: describeStore,
    storage: true,
  }),
  dataDir: field<string>({
    flag: '--data <folder>',
    env: ['COUNTERSIGN_DATA'],
    help: 'folder of the SQLite file and of its keys',
    read: text(),
    fallback: './countersign-data',
    storage: true,
  }),
  keys: field<string | undefined>({
    flag: '--keys <file>',
    env: ['COUNTERSIGN_KEYS'],
    help: 'keyring file; needed with Redis and Postgres, made on the first start with SQLite',
    read: text(),
    storage: true,
  }),
  journal: field<string | undefined>({
    flag: '--journal <file>',
    env: ['COUNTERSIGN_JOURNAL'],
    help: 'file of this server alone, for revocations that wait for the store or that a failover could undo',
    read: text(),
  }),
  strategy: field<'allowlist' | 'opaque'>({
    flag: '--strategy <name>',
    env: ['COUNTERSIGN_STRATEGY'],
    help: 'allowlist (signed access token, refresh token, record) or opaque (one random token)',
    read: oneOf('allowlist', 'opaque'),
    fallback: 'allowlist',
  }),
  idle: field<Duration>({
    flag: '--idle <duration>',
    env: ['COUNTERSIGN_IDLE'],
    help: 'a session unused for so long is refused',
    read: duration,
    fallback: '30m',
  }),
  absolute: field<Duration>({
    flag: '--absolute <duration>',
    env: ['COUNTERSIGN_ABSOLUTE'],
    help: 'a session ends after so long whatever happens',
    read: duration,
    fallback: '7d',
  }),
  accessLifetime: field<Duration>({
    flag: '--access-lifetime <duration>',
    env: ['COUNTERSIGN_ACCESS_LIFETIME'],
    help: 'life of an access token',
    read: duration,
    fallback: '10m',
  }),
  refreshLifetime: field<Duration>({
    flag: '--refresh-lifetime <duration>',
    env: ['COUNTERSIGN_REFRESH_LIFETIME'],
    help: 'life of a refresh token, and of persistent cookies',
    read: duration,
    fallback: '7d',
  }),
  grace: field<Duration>({
    flag: '--grace <duration>',
    env: ['COUNTERSIGN_GRACE'],
    help: 'how long a rotated refresh token still yields its successor',
    read: duration,
    fallback: '10s',
  }),
  roles: field<readonly string[]>({
    flag: '--roles <list>',
    env: ['COUNTERSIGN_ROLES'],
    help: 'all role names there are',
    read: list(text(64)),
    repeat: true,
    fallback: ['user', 'moderator', 'admin'],
    storage: true,
  }),
  perSubject: field<number>({
    flag: '--per-subject <number>',
    env: ['COUNTERSIGN_PER_SUBJECT'],
    help: 'live sessions per account',
    read: integer(1, 1_000),
    fallback: 100,
  }),
  overflow: field<'reject' | 'evict_oldest' | 'evict_least_recent'>({
    flag: '--overflow <rule>',
    env: ['COUNTERSIGN_OVERFLOW'],
    help: 'what a login beyond that does: reject, evict_oldest, evict_least_recent',
    read: oneOf('reject', 'evict_oldest', 'evict_least_recent'),
    fallback: 'evict_oldest',
  }),
  tlsCert: field<string | undefined>({
    flag: '--tls-cert <file>',
    env: ['COUNTERSIGN_TLS_CERT'],
    help: 'certificate chain in PEM; with --tls-key the server speaks HTTPS',
    read: text(),
  }),
  tlsKey: field<string | undefined>({
    flag: '--tls-key <file>',
    env: ['COUNTERSIGN_TLS_KEY'],
    help: 'private key in PEM',
    read: text(),
  }),
  clients: field<readonly ClientSetting[]>({
    flag: null,
    env: [],
    help: 'programs that may ask for service tokens or about tokens',
    read: clientList,
    print: (clients) => clients.map(({ id }) => id).join(','),
    fallback: [],
  }),
  trustedProxies: field<readonly string[]>({
    flag: '--trusted-proxy <ranges>',
    env: ['COUNTERSIGN_TRUSTED_PROXY'],
    help: 'proxies whose X-Forwarded-For is believed, and which may ask /verify; default none',
    read: list(addresses),
    repeat: true,
    fallback: [],
  }),
  upstreams: field<readonly UpstreamSetting[]>({
    flag: null,
    env: [],
    help: 'services behind a proxy that get a signed assertion',
    read: upstreamList,
    print: (upstreams) => upstreams.map(({ name }) => name).join(','),
    fallback: [],
  }),
  loginPath: field<string>({
    flag: '--login-path <path>',
    env: ['COUNTERSIGN_LOGIN_PATH'],
    help: 'where /verify sends browsers that are not logged in, on the host that they asked for',
    read: path,
    fallback: '/auth/login',
  }),
  unsafePlainHttpOffLoopback: field<boolean>({
    flag: '--unsafe-plain-http-off-loopback',
    env: ['COUNTERSIGN_UNSAFE_PLAIN_HTTP_OFF_LOOPBACK'],
    help: 'DANGEROUS unless a proxy on a network you trust speaks HTTPS: plain HTTP on any address',
    read: yesNo,
    fallback: false,
  }),
  logLevel: field<'debug' | 'info' | 'warn' | 'error' | 'silent'>({
    flag: '--log-level <level>',
    env: ['COUNTERSIGN_LOG_LEVEL'],
    help: 'debug, info, warn, error or silent; JSON lines on standard error',
    read: oneOf('debug', 'info', 'warn', 'error', 'silent'),
    fallback: 'info',
  }),
}

export type FieldName = keyof typeof FIELDS
/** Every setting with its value. */
export type Settings = { readonly [K in FieldName]: (typeof FIELDS)[K] extends Field<infer T> ? T : never }
