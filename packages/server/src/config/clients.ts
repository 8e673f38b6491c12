import { CountersignError } from 'countersign'
import { type OAuthClient, readClient } from 'countersign/oauth'
import { type Reader, SeveralProblems } from './readers.ts'

/** A program that calls for itself, as the configuration file names it. */
export interface ClientSetting extends OAuthClient {
  /** For people. */
  readonly name: string
  /** Services that it may call: one of them is the audience of each token that it gets. */
  readonly audiences: readonly string[]
  /** What its tokens may say that it may do. */
  readonly scopes: readonly string[]
  /** Audiences that it is: tokens for them are what it may ask about. Empty: it may ask about none. */
  readonly introspect: readonly string[]
}

const MEMBERS = new Set(['id', 'name', 'publicKeys', 'audiences', 'scopes', 'introspect'])
const MAX_CLIENTS = 1_000
const MAX_LIST = 64
const SCOPE = /^[\x21\x23-\x5b\x5d-\x7e]{1,64}$/
/** What subjects of accounts look like: a token must never be taken for somebody else's (RFC 9700 section 4.15). */
const PERSON = /^[A-Za-z0-9_-]{24}$/

/** The list `clients`. Finds everything that is wrong with it. */
export const clientList: Reader<readonly ClientSetting[]> = (value) => {
  if (!Array.isArray(value) || value.length > MAX_CLIENTS) throw new Error('must be a list of clients')
  const problems: string[] = []
  const ids = new Set<unknown>()
  const clients = value.map((entry: unknown, index) => {
    const report = (problem: string) => problems.push(`[${index}] ${problem}`)
    if (typeof entry !== 'object' || entry === null || Array.isArray(entry)) {
      report('must be an object')
      return undefined
    }
    return readEntry(entry as Record<string, unknown>, ids, report)
  })
  if (problems.length > 0) throw new SeveralProblems(problems)
  return Object.freeze(clients.map((client) => client!))
}

function readEntry(
  entry: Record<string, unknown>,
  ids: Set<unknown>,
  report: (problem: string) => void,
): ClientSetting {
  for (const name of Object.keys(entry))
    if (!MEMBERS.has(name)) report(`has a member ${JSON.stringify(name)} that does not exist`)
  const { id, name, publicKeys, audiences = [], scopes = [], introspect = [] } = entry
  const attempt = (client: OAuthClient, rename: (message: string) => string) => {
    try {
      readClient(client)
      return true
    } catch (error) {
      if (!(error instanceof CountersignError)) throw error
      report(rename(error.message))
      return false
    }
  }
  if (ids.size === ids.add(id).size) report('"id" is that of another client')
  if (typeof id === 'string' && PERSON.test(id)) report('"id" looks like the subject of an account')
  if (typeof name !== 'string' || name === '' || name.length > 128) report('"name" must be 1 to 128 characters')
  for (const [member, list] of Object.entries({ audiences, introspect })) {
    if (!isList(list, (one) => one !== '' && one.length <= 512)) report(`"${member}" must be a list of audiences`)
  }
  if (!isList(scopes, (one) => SCOPE.test(one))) report('"scopes" must be a list of names without spaces and quotes')

  // The keys one at a time, so that each that is wrong is named; then the client as a whole.
  const list = Array.isArray(publicKeys) ? publicKeys : []
  const soundKeys = list.filter((jwk, index) =>
    attempt({ id: 'probe', publicKeys: [jwk] }, (message) => message.replace('publicKeys[0]', `publicKeys[${index}]`)),
  )
  if (soundKeys.length === list.length) attempt({ id: id as string, publicKeys: list }, (message) => message)
  else if (typeof id !== 'string') report('"id" must be text')
  return Object.freeze({ id, name, publicKeys: list, audiences, scopes, introspect }) as ClientSetting
}

function isList(value: unknown, is: (one: string) => boolean): boolean {
  return (
    Array.isArray(value) &&
    value.length <= MAX_LIST &&
    new Set(value).size === value.length &&
    value.every((one) => typeof one === 'string' && is(one))
  )
}
