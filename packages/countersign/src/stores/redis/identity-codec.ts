import type { Delivery, Device, Origin, SessionRecord } from '../../session/record.ts'

/**
 * What is fixed at creation, as the members of a JSON object, without default values and braces: with a hundred thousand
 * sessions each byte counts. A list of one is written as its only member.
 */
type Identity = Pick<SessionRecord, 'acr' | 'amr' | 'audience' | 'clientId' | 'device' | 'delivery'>

interface StoredIdentity {
  /** acr. Default `aal1`. */
  l?: string
  /** amr. Default none. */
  m?: string | readonly string[]
  /** audience. Default none. */
  a?: string | readonly string[]
  /** clientId. Default `web`. */
  c?: string
  /** device: id, label, class. Default: the empty id alone. */
  d?: { i?: string; l?: string; c?: string }
  /** delivery. Default `cookie`. */
  v?: string
}

const DELIVERIES: readonly string[] = ['cookie', 'browser', 'bearer'] satisfies Delivery[]
const DEVICE_CLASSES: readonly unknown[] = [undefined, 'browser', 'mobile', 'cli'] satisfies Device['class'][]

export function encodeIdentity(record: Identity): string {
  const { id, label, class: kind } = record.device
  const device = { ...(id !== '' && { i: id }), ...(label !== undefined && { l: label }), ...(kind && { c: kind }) }
  return encodeObject({
    ...(record.acr !== 'aal1' && { l: record.acr }),
    ...(record.amr.length > 0 && { m: oneOrMany(record.amr) }),
    ...(record.audience.length > 0 && { a: oneOrMany(record.audience) }),
    ...(record.clientId !== 'web' && { c: record.clientId }),
    ...(Object.keys(device).length > 0 && { d: device }),
    ...(record.delivery !== 'cookie' && { v: record.delivery }),
  } satisfies StoredIdentity)
}

export const DEFAULT_IDENTITY: Identity = {
  acr: 'aal1',
  amr: Object.freeze([]),
  audience: Object.freeze([]),
  clientId: 'web',
  device: Object.freeze({ id: '' }),
  delivery: 'cookie',
}

/** What differs from the default; `undefined` when it is no such text. */
export function decodeIdentity(text: string): Partial<Identity> | undefined {
  const stored = decodeObject(text) as StoredIdentity | undefined
  if (!stored) return undefined
  const { l: acr, m, a, c: clientId, d, v: delivery } = stored
  const identity: { -readonly [K in keyof Identity]?: Identity[K] } = {}
  if (acr !== undefined) identity.acr = acr
  if (clientId !== undefined) identity.clientId = clientId
  if (!isText(acr) || !isText(clientId)) return undefined
  if (m !== undefined) identity.amr = many(m)!
  if (a !== undefined) identity.audience = many(a)!
  if (delivery !== undefined) identity.delivery = delivery as Delivery
  if (d !== undefined) identity.device = deviceOf(d)!
  const isKnown = delivery === undefined || DELIVERIES.includes(delivery)
  return isKnown && Object.values(identity).every((value) => value !== undefined) ? identity : undefined
}

function deviceOf(stored: unknown): Device | undefined {
  if (typeof stored !== 'object' || stored === null) return undefined
  const { i: id = '', l: label, c: kind } = stored as Record<string, unknown>
  if (typeof id !== 'string' || !isText(label) || !DEVICE_CLASSES.includes(kind)) return undefined
  return { id, ...(label !== undefined && { label }), ...(kind !== undefined && { class: kind }) } as Device
}

const isText = (value: unknown) => value === undefined || typeof value === 'string'

/** `"i": ip, "u": user agent`; empty when neither is known. */
export function encodeOrigin({ ip, userAgent }: Origin): string {
  return encodeObject({ ...(ip !== undefined && { i: ip }), ...(userAgent !== undefined && { u: userAgent }) })
}

export function decodeOrigin(text: string): Origin | undefined {
  const stored = decodeObject(text)
  if (!stored) return undefined
  const { i: ip, u: userAgent } = stored
  for (const one of [ip, userAgent]) if (one !== undefined && typeof one !== 'string') return undefined
  return {
    ...(ip !== undefined && { ip: ip as string }),
    ...(userAgent !== undefined && { userAgent: userAgent as string }),
  }
}

/** The members of the JSON object, without the braces around them. */
const encodeObject = (value: object) => JSON.stringify(value).slice(1, -1)

function decodeObject(text: string): Record<string, unknown> | undefined {
  if (text === '') return {}
  try {
    return JSON.parse(`{${text}}`) as Record<string, unknown>
  } catch {
    return undefined
  }
}

const oneOrMany = (list: readonly string[]) => (list.length === 1 ? list[0]! : list)

function many(stored: unknown): readonly string[] | undefined {
  if (typeof stored === 'string') return [stored]
  return Array.isArray(stored) && stored.every((one) => typeof one === 'string') ? stored : undefined
}
