import { readFile } from 'node:fs/promises'
import { BlockList, isIP } from 'node:net'
import { FIELDS, type Field, type FieldName, type Settings } from './fields.ts'
import { probe } from './probe.ts'
import { SeveralProblems, type StoreLocation } from './readers.ts'

/** Where a value came from, for messages and for `countersign config`. */
export type Source = 'default' | `--${string}` | `${Uppercase<string>}` | `file ${string}`

/** A complete configuration. */
export interface Config extends Settings {
  readonly sources: Readonly<Record<FieldName, Source>>
}

/** All that is wrong with a configuration, one line each. */
export class ConfigProblems extends Error {
  override readonly name = 'ConfigProblems'
  readonly problems: readonly string[]

  constructor(problems: readonly string[]) {
    super(problems.join('\n'))
    this.problems = problems
  }
}

export interface ConfigInput {
  /** Values by the name of the setting, as the command line gave them; absent ones are `undefined`. */
  readonly flags: Readonly<Partial<Record<FieldName, unknown>>>
  readonly env: Readonly<Record<string, string | undefined>>
  /** Path of the JSON file, from `--config` or `COUNTERSIGN_CONFIG`. */
  readonly file?: string | undefined
}

const NAMES = Object.keys(FIELDS) as FieldName[]
const flagOf = (name: FieldName) =>
  ((FIELDS[name] as Field<unknown>).flag?.split(' ')[0] ?? '--config') as `--${string}`

/**
 * Settles every setting: flag over environment over file over default.
 *
 * @throws ConfigProblems with every problem there is, not only the first.
 */
export async function resolveConfig(input: ConfigInput): Promise<Config> {
  const problems: string[] = []
  const file = await readConfigFile(input.file, problems)
  const values: Record<string, unknown> = {}
  const sources = {} as Record<FieldName, Source>
  const report = (name: FieldName, problem: string) => {
    const source = sources[name] ?? 'default'
    problems.push(`${name} ${problem} (${source === 'default' ? `set it with ${flagOf(name)}` : `from ${source}`})`)
  }

  for (const name of NAMES) {
    const field = FIELDS[name] as Field<unknown>
    const found = lookUp(name, field, input, file)
    sources[name] = found?.source ?? 'default'
    if (!found) {
      values[name] = field.fallback
      continue
    }
    try {
      values[name] = field.read(found.value)
    } catch (error) {
      const problems = error instanceof SeveralProblems ? error.problems : [(error as Error).message]
      for (const problem of problems) report(name, problem)
    }
  }
  for (const [name, problem] of await probe(values)) report(name, problem)
  for (const [name, problem] of crossCheck(values)) report(name, problem)
  if (problems.length > 0) throw new ConfigProblems(problems)
  return Object.freeze({ ...(values as unknown as Settings), sources: Object.freeze(sources) })
}

function lookUp(
  name: FieldName,
  field: Field<unknown>,
  input: ConfigInput,
  file: Readonly<Record<string, unknown>>,
): { readonly value: unknown; readonly source: Source } | undefined {
  const flag = input.flags[name]
  if (flag !== undefined) return { value: flag, source: flagOf(name) }
  for (const variable of field.env) {
    // An empty variable is how many tools spell "not set".
    if (input.env[variable]) return { value: input.env[variable], source: variable as Source }
  }
  return file[name] === undefined ? undefined : { value: file[name], source: `file ${input.file}` }
}

async function readConfigFile(
  path: string | undefined,
  problems: string[],
): Promise<Readonly<Record<string, unknown>>> {
  if (path === undefined) return {}
  let content: unknown
  try {
    const text = await readFile(path, 'utf8')
    content = JSON.parse(text)
  } catch (error) {
    // A syntax error quotes the text around it, which may hold the password of a store.
    const why =
      error instanceof SyntaxError ? 'is not JSON' : `cannot be read (${(error as NodeJS.ErrnoException).code})`
    problems.push(`file ${path} ${why}`)
    return {}
  }
  if (typeof content !== 'object' || content === null || Array.isArray(content)) {
    problems.push(`file ${path} must hold one JSON object`)
    return {}
  }
  for (const name of Object.keys(content)) {
    if (!Object.hasOwn(FIELDS, name)) problems.push(`${JSON.stringify(name)} is not a setting (from file ${path})`)
  }
  return content as Record<string, unknown>
}

/** What can only be judged with several settings in view. A setting that is wrong by itself is `undefined` here. */
function crossCheck(values: Partial<Settings>): [FieldName, string][] {
  const problems: [FieldName, string][] = []
  const {
    host,
    publicUrl,
    linkUrl,
    mailCommand,
    store,
    keys,
    tlsCert,
    tlsKey,
    trustedProxies,
    upstreams,
    unsafePlainHttpOffLoopback: unsafe,
  } = values
  if (tlsCert !== undefined && tlsKey === undefined)
    problems.push(['tlsKey', 'is missing: a certificate needs its key'])
  if (tlsKey !== undefined && tlsCert === undefined)
    problems.push(['tlsCert', 'is missing: a key needs its certificate'])
  const hint = 'use --tls-cert and --tls-key, or listen on 127.0.0.1 behind a proxy that speaks HTTPS'
  if (host !== undefined && tlsCert === undefined && !isLoopback(host) && unsafe === false) {
    problems.push(['host', `is not a loopback address, and plain HTTP would show every token to the network: ${hint}`])
  }
  const url = publicUrl === undefined ? undefined : new URL(publicUrl)
  if (url?.protocol === 'http:' && !isLoopback(url.hostname) && unsafe === false) {
    problems.push(['publicUrl', `is plain HTTP, over which browsers do not send Secure cookies: ${hint}`])
  }
  const link = linkUrl === undefined ? undefined : new URL(linkUrl)
  if (link?.protocol === 'http:' && !isLoopback(link.hostname) && unsafe === false) {
    problems.push(['linkUrl', 'is plain HTTP, over which anybody on the way could take the link'])
  }
  if (mailCommand !== undefined && publicUrl === undefined && linkUrl === undefined) {
    problems.push(['linkUrl', 'is missing: links in mails need it, or "publicUrl"; they are never made from a request'])
  }
  if (upstreams !== undefined && upstreams.length > 0 && trustedProxies?.length === 0) {
    problems.push(['trustedProxies', 'is missing: upstreams are for proxies that ask /verify, and none is listed'])
  }
  if (store !== undefined && store.kind !== 'sqlite' && store.kind !== 'memory' && keys === undefined) {
    problems.push([
      'keys',
      `is missing: with ${store.kind === 'postgres' ? 'Postgres' : 'Redis'} all servers must share one keyring file. Make it once with: countersign keys generate --out keys.json`,
    ])
  }
  return problems
}

const LOOPBACK = new BlockList()
LOOPBACK.addSubnet('127.0.0.0', 8, 'ipv4')
LOOPBACK.addAddress('::1', 'ipv6')

/** Whether only this machine can reach it. */
export function isLoopback(host: string): boolean {
  const address = host.replace(/^\[|\]$/g, '')
  const family = isIP(address)
  return family === 0 ? address === 'localhost' : LOOPBACK.check(address, family === 4 ? 'ipv4' : 'ipv6')
}

/** Whether a connection leaves this machine without TLS. A Unix socket does not leave it. */
export function crossesNetworkInClear(
  store: StoreLocation,
  env: Readonly<Record<string, string | undefined>>,
): boolean {
  if (!('url' in store)) return false
  const { protocol, hostname, searchParams } = new URL(store.url)
  const host = hostname || (searchParams.get('host') ?? 'localhost')
  if (host.startsWith('/') || isLoopback(host)) return false
  if (store.kind === 'redis') return protocol !== 'rediss:'
  if (/^(true|1)$/.test(searchParams.get('ssl') ?? '')) return false
  // `pg` reads the variable where the address says nothing.
  const mode = searchParams.get('sslmode') ?? (env.PGSSLMODE || 'disable')
  return mode === 'disable'
}
