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

/** `undefined` when it is no such text. */
export function decodeIdentity(text: string): Identity | undefined {
  const stored = decodeObject(text) as StoredIdentity | undefined
  if (!stored) return undefined
  const { l: acr = 'aal1', c: clientId = 'web', d = {}, v: delivery = 'cookie' } = stored
  const [amr, audience] = [many(stored.m), many(stored.a)]
  if (typeof d !== 'object' || d === null || !amr || !audience) return undefined
  const { i: id = '', l: label, c: kind } = d
  const texts: readonly unknown[] = [acr, clientId, id, label ?? '']
  if (!texts.every((one) => typeof one === 'string')) return undefined
  if (!DELIVERIES.includes(delivery) || !DEVICE_CLASSES.includes(kind)) return undefined
  const device = { id, ...(label !== undefined && { label }), ...(kind !== undefined && { class: kind }) } as Device
  return { acr, amr, audience, clientId, device, delivery: delivery as Delivery }
}

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
  if (stored === undefined) return []
  if (typeof stored === 'string') return [stored]
  return Array.isArray(stored) && stored.every((one) => typeof one === 'string') ? stored : undefined
}
