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

/** Puts what differs from the default into `into`; false when the text cannot be read. */
export function decodeIdentity(text: string, into: { -readonly [K in keyof Identity]: Identity[K] }): boolean {
  const stored = decodeObject(text)
  if (!stored) return false
  const { l, m, a, c, d, v } = stored
  if (l !== undefined) into.acr = l as string
  if (c !== undefined) into.clientId = c as string
  if (v !== undefined) into.delivery = v as Delivery
  if (typeof into.acr !== 'string' || typeof into.clientId !== 'string') return false
  if (v !== undefined && !DELIVERIES.includes(v as string)) return false
  const amr = m === undefined ? into.amr : many(m)
  const audience = a === undefined ? into.audience : many(a)
  const device = d === undefined ? into.device : deviceOf(d)
  if (!amr || !audience || !device) return false
  into.amr = amr
  into.audience = audience
  into.device = device
  return true
}

function deviceOf(stored: unknown): Device | undefined {
  if (typeof stored !== 'object' || stored === null) return undefined
  const { i: id = '', l: label, c: kind } = stored as Record<string, unknown>
  if (typeof id !== 'string' || (label !== undefined && typeof label !== 'string')) return undefined
  if (!DEVICE_CLASSES.includes(kind)) return undefined
  const device: Device = { id }
  if (label !== undefined) device.label = label
  if (kind !== undefined) device.class = kind as NonNullable<Device['class']>
  return device
}

/** `"i": ip, "u": user agent`; empty when neither is known. */
export function encodeOrigin({ ip, userAgent }: Origin): string {
  return encodeObject({ ...(ip !== undefined && { i: ip }), ...(userAgent !== undefined && { u: userAgent }) })
}

export function decodeOrigin(text: string): Origin | undefined {
  const stored = decodeObject(text)
  if (!stored) return undefined
  const { i: ip, u: userAgent } = stored
  const origin: { -readonly [K in keyof Origin]: Origin[K] } = {}
  if (ip !== undefined) origin.ip = ip as string
  if (userAgent !== undefined) origin.userAgent = userAgent as string
  return isTextOrAbsent(ip) && isTextOrAbsent(userAgent) ? origin : undefined
}

const isTextOrAbsent = (value: unknown) => value === undefined || typeof value === 'string'

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
