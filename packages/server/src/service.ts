import { existsSync } from 'node:fs'
import { join } from 'node:path'
import {
  allowlist,
  createSessions,
  fileJournal,
  generateKeyring,
  type Keyring,
  loadKeyring,
  opaque,
  type Store,
  type Strategy,
} from 'countersign'
import { type Accounts, createAccounts, type Recovery } from 'countersign/accounts'
import {
  type ClientAuthentication,
  createClientAuthentication,
  createServiceTokens,
  createSessionAssertions,
  type ServiceTokens,
  type SessionAssertions,
} from 'countersign/oauth'
import { createOneTime, type OneTime } from 'countersign/one-time'
import type { ClientSetting } from './config/clients.ts'
import type { Config } from './config/resolve.ts'
import type { ServerSessions } from './http/kit.ts'
import { PASSWORD_LIMITS } from './http/problems.ts'
import { makeKeysFile, readKeysFile } from './keys-file.ts'

/** Everything behind the HTTP side, opened from a configuration. Commands use it without any HTTP. */
export interface Service {
  readonly sessions: ServerSessions
  readonly accounts: Accounts & Recovery
  readonly oneTime: OneTime
  readonly clients: ClientAuthentication<ClientSetting>
  /** Absent when there are no clients: then no key is needed for them. */
  readonly serviceTokens: ServiceTokens | undefined
  /** Absent when there are no upstreams. */
  readonly assertions: SessionAssertions | undefined
  readonly keyring: Keyring
  /** The file that the keyring is from; absent when it ends with the process. */
  readonly keysPath?: string
  readonly nowMs: () => number
  /** Path of a keyring file that was made just now, for saying so. */
  readonly madeKeys?: string
  /** Finishes what is under way and closes the store. */
  close(): Promise<void>
}

/** The newest active key of any of them signs: whoever checks has the public half, and the keyring says when to change. */
const PUBLISHED = ['ES256', 'Ed25519'] as const
const DATABASE = 'countersign.db'
const KEYS = 'keys.json'
/** Of tokens when nobody has said what the world calls this server: fit for trying things out. */
const LOCAL_ISSUER = 'http://localhost'

/**
 * Opens store, keys, sessions and accounts, and checks that they fit together.
 *
 * @param of - `server`: opens its journal as well, which only one process may have.
 * @throws CountersignError `ERR_KEY_NOT_FOUND`, `ERR_KEY_UNUSABLE`, `ERR_CONFIG_UNSAFE`, `ERR_STORE_MISCONFIGURED`,
 * `ERR_STORE_UNAVAILABLE`, `ERR_STORE_TIMEOUT`.
 */
export async function openService(config: Config, of: 'server' | 'command' = 'command'): Promise<Service> {
  const { keyring, keysPath, madeKeys } = await openKeys(config)
  const store = await openStore(config)
  const { roles } = config
  const sessions: ServerSessions = createSessions({
    strategy: strategyOf(config),
    store,
    keyring,
    timeouts: { idle: config.idle, absolute: config.absolute },
    limits: { perSubject: config.perSubject, overflow: config.overflow },
    roles: roles as readonly string[],
    ...(of === 'server' && config.journal !== undefined && { journal: fileJournal({ file: config.journal }) }),
  })
  const oneTime = createOneTime({ store, keyring })
  const accounts = createAccounts({ store, keyring, sessions, roles, oneTime, passwords: PASSWORD_LIMITS })
  const issuer = issuerOf(config)
  const clients = createClientAuthentication({ issuer, clients: config.clients, store })
  const serviceTokens =
    config.clients.length > 0 ? createServiceTokens({ keyring, issuer, alg: PUBLISHED, store }) : undefined
  const assertions =
    config.upstreams.length > 0 ? createSessionAssertions({ keyring, issuer, alg: PUBLISHED, store }) : undefined
  try {
    await accounts.ready()
    await sessions.ready()
  } catch (error) {
    await sessions.close()
    throw error
  }
  return {
    sessions,
    accounts,
    oneTime,
    clients,
    serviceTokens,
    assertions,
    keyring,
    ...(keysPath !== undefined && { keysPath }),
    nowMs: () => store.lifecycle.nowMs(),
    ...(madeKeys !== undefined && { madeKeys }),
    close: () => sessions.close(),
  }
}

/** The issuer of access tokens. */
export function issuerOf(config: Config): string {
  return config.issuer ?? config.publicUrl ?? LOCAL_ISSUER
}

/** Where links lead. Without a public URL, for trying things out: the page at the address that the server listens on. */
export function linkBaseOf({ linkUrl, publicUrl, tlsCert, host, port }: Config): string {
  if (linkUrl !== undefined) return linkUrl
  if (publicUrl !== undefined) return `${publicUrl}/`
  return `${tlsCert === undefined ? 'http' : 'https'}://${host.includes(':') ? `[${host}]` : host}:${port}/`
}

function strategyOf(config: Config): Strategy<'record', boolean, 'sessions'> {
  const issuer = issuerOf(config)
  const audience = config.audience ?? [issuer]
  if (config.strategy === 'opaque') return opaque({ audience })
  const { accessLifetime, refreshLifetime, grace } = config
  return allowlist<boolean>({
    issuer,
    audience,
    alg: PUBLISHED,
    accessLifetime,
    refreshLifetime,
    grace,
    refresh: true,
  })
}

/** Loaded only when used: whoever runs on SQLite never loads a client for Redis or Postgres. */
async function openStore({ store, dataDir }: Config): Promise<Store> {
  switch (store.kind) {
    case 'memory':
      return (await import('countersign/stores/memory')).memoryStore()
    case 'sqlite':
      return (await import('countersign/stores/sqlite')).sqliteStore({ file: store.file ?? join(dataDir, DATABASE) })
    case 'postgres':
      return (await import('countersign/stores/postgres')).postgresStore({ url: store.url })
    case 'redis':
    case 'redis-cluster':
    case 'redis-sentinel': {
      const { kind: _kind, ...where } = store
      return (await import('countersign/stores/redis')).redisStore(where)
    }
  }
}

/** Where the keys of a configuration are, unless they live in memory. */
export function keysPathOf({ keys, dataDir }: Config): string {
  return keys ?? join(dataDir, KEYS)
}

async function openKeys(config: Config): Promise<Pick<Service, 'keyring' | 'keysPath' | 'madeKeys'>> {
  const { store, keys } = config
  if (store.kind === 'memory' && keys === undefined) {
    // What they protect ends with the process, and so do they.
    return { keyring: await loadKeyring(generateKeyring({ signing: ['ES256'] })) }
  }
  const keysPath = keysPathOf(config)
  // Only beside the embedded file: with a shared store, two servers would make two keyrings.
  const made = store.kind === 'sqlite' && keys === undefined && !existsSync(keysPath) && (await makeKeysFile(keysPath))
  return { keyring: await readKeysFile(keysPath), keysPath, ...(made && { madeKeys: keysPath }) }
}
