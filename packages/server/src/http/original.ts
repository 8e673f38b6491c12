// The request that a proxy asks about. Only what a listed proxy sends may come here.
import { isSafeMethod, type RequestFacts } from 'countersign/http'
import type { FastifyRequest } from 'fastify'
import { factsOf } from './facts.ts'

export interface OriginalRequest {
  /** With the method of the original request, and its header fields, which proxies copy. */
  readonly facts: RequestFacts
  /** It opens a WebSocket. */
  readonly upgrades: boolean
  /** A page that somebody goes to, and not what a page asks for: it may be answered with a redirect. */
  readonly navigates: boolean
  /** Where a navigation came from; path only, whatever the host. */
  readonly refererPath?: string
  /** Path and query, to come back to; absent where coming back would be another request, or lead elsewhere. */
  readonly returnPath?: string
}

const METHODS = ['x-forwarded-method', 'x-original-method'] as const
const PATHS = ['x-forwarded-uri', 'x-original-uri'] as const
const METHOD = /^[A-Z][A-Z-]{0,31}$/
/** Longer ones are not carried through the login: the address of the page would become too long for some. */
const MAX_RETURN_PATH = 2_048

/** @returns `undefined` when the method is not said, or said in two ways. */
export function originalOf(request: FastifyRequest): OriginalRequest | undefined {
  const copied = factsOf(request)
  const method = agreed(copied, METHODS)
  if (method === undefined || !METHOD.test(method)) return undefined
  const facts = { ...copied, method }
  const upgrades = first(facts, 'upgrade') !== undefined || first(facts, 'sec-fetch-mode') === 'websocket'
  const isRead = method === 'GET' || method === 'HEAD'
  const returnPath = isRead && !upgrades ? returnPathOf(agreed(copied, PATHS)) : undefined
  const referer = first(facts, 'referer') ?? ''
  return {
    facts,
    upgrades,
    navigates: isNavigation(facts),
    ...(URL.canParse(referer) && { refererPath: new URL(referer).pathname }),
    ...(returnPath !== undefined && { returnPath }),
  }
}

/** What is to be judged as an unsafe request: browsers open WebSockets across sites, and then both sides write. */
export function judgedFacts({ facts, upgrades }: OriginalRequest): RequestFacts {
  return upgrades && isSafeMethod(facts.method) ? { ...facts, method: 'CONNECT' } : facts
}

/** Every value of these fields, if all are the same: clients can add a field that their proxy does not know. */
function agreed(facts: RequestFacts, names: readonly string[]): string | undefined {
  const values = new Set(names.flatMap((name) => facts.header(name) ?? []))
  return values.size === 1 ? [...values][0] : undefined
}

function first(facts: RequestFacts, name: string): string | undefined {
  const value = facts.header(name)
  return typeof value === 'string' ? value : value?.[0]
}

/** Old browsers send no Fetch Metadata, and over plain HTTP none does: there the wish for HTML has to do. */
function isNavigation(facts: RequestFacts): boolean {
  const mode = first(facts, 'sec-fetch-mode')
  if (mode !== undefined) return mode === 'navigate' && (first(facts, 'sec-fetch-dest') ?? 'document') === 'document'
  return /\btext\/html\b/i.test(first(facts, 'accept') ?? '')
}

/** A path of the same origin and nothing else: `//host`, `/\host` and what URLs make of blanks would lead elsewhere. */
function returnPathOf(uri: string | undefined): string | undefined {
  if (uri === undefined || uri.length > MAX_RETURN_PATH || !/^\/(?![/\\])[\x21-\x7e]*$/.test(uri)) return undefined
  const base = 'http://origin.invalid'
  if (!URL.canParse(uri, base)) return undefined
  const { origin, pathname, search } = new URL(uri, base)
  return origin === base && !pathname.startsWith('//') ? pathname + search : undefined
}
