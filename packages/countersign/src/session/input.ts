import { invalidInput, invalidOption } from '../internal/errors.ts'
import type { EndReason } from './reasons.ts'
import type { Delivery, Device, Origin } from './record.ts'
import type { Context } from './types.ts'

const MAX_USER_AGENT = 256
const DELIVERIES: readonly string[] = ['cookie', 'browser', 'bearer'] satisfies Delivery[]
const DEVICE_CLASSES: readonly unknown[] = [undefined, 'browser', 'mobile', 'cli']

/** Role names: visible ASCII without comma, quote or backslash, 1 to 64 characters, so that any store and header can hold them. */
const ROLE = /^[\x21\x23-\x2b\x2d-\x5b\x5d-\x7e]{1,64}$/

export function checkRoleNames(roles: readonly unknown[], option: string): void {
  if (!Array.isArray(roles) || roles.length > 64) throw invalidOption(option, 'must be a list of at most 64 role names')
  for (const role of roles) {
    if (typeof role !== 'string' || !ROLE.test(role)) {
      throw invalidOption(
        option,
        'must hold names of 1 to 64 visible ASCII characters without comma, quote or backslash',
      )
    }
  }
}

/** Roles of a call, each known, none twice. */
export function checkRoles(
  roles: readonly string[] | undefined,
  known: readonly string[] | undefined,
): readonly string[] {
  if (roles === undefined) return []
  if (!Array.isArray(roles)) throw invalidInput('roles', 'must be a list')
  if (known) {
    if (!roles.every((role) => known.includes(role)))
      throw invalidInput('roles', 'holds one that is not in the option "roles"')
  } else if (!roles.every((role) => typeof role === 'string' && ROLE.test(role)) || roles.length > 64) {
    throw invalidInput(
      'roles',
      'must hold at most 64 names of visible ASCII characters without comma, quote or backslash',
    )
  }
  return [...new Set(roles)]
}

/** A text of 1 to `max` characters. */
export function checkText(value: unknown, name: string, max: number): string {
  if (typeof value !== 'string' || value.length < 1 || value.length > max) {
    throw invalidInput(name, `must be a string of 1 to ${max} characters`)
  }
  return value
}

export function checkReason(reason: unknown): EndReason {
  return checkText(reason, 'reason', 64)
}

export function checkDelivery(delivery: unknown): Delivery {
  if (typeof delivery !== 'string' || !DELIVERIES.includes(delivery)) {
    throw invalidInput('delivery', "must be 'cookie', 'browser' or 'bearer'")
  }
  return delivery as Delivery
}

/** The device as it is stored. Without one the session has an empty id. */
export function checkDevice(device: Device | undefined): Readonly<Device> {
  if (device === undefined) return { id: '' }
  if (typeof device !== 'object' || device === null) throw invalidInput('device', 'must be an object')
  const { id, label } = device
  checkText(id, 'device.id', 128)
  if (label !== undefined) checkText(label, 'device.label', 128)
  if (!DEVICE_CLASSES.includes(device.class)) throw invalidInput('device.class', "must be 'browser', 'mobile' or 'cli'")
  return { id, ...(label !== undefined && { label }), ...(device.class && { class: device.class }) }
}

/** The options of a call that needs some. */
export function checkObject<T extends object>(value: T, name: string): T {
  if (typeof value !== 'object' || value === null) throw invalidInput(name, 'must be an object')
  return value
}

/** A list of texts of 1 to `max` characters each. */
export function checkTexts(value: unknown, name: string, most: number, max: number): readonly string[] {
  if (!Array.isArray(value) || value.length > most) throw invalidInput(name, `must be a list of at most ${most} texts`)
  return value.map((text) => checkText(text, name, max))
}

/** A context as events show it: client-made text is cut, and what is no text is left out. */
export function contextOf(context: Context): Context {
  const kept: Context = {}
  for (const [name, max] of CONTEXT) {
    const value: unknown = context[name]
    if (typeof value === 'string' && value !== '') kept[name] = value.slice(0, max)
  }
  return kept
}
const CONTEXT = [
  ['ip', 64],
  ['userAgent', MAX_USER_AGENT],
  ['requestId', 128],
  ['by', 256],
] as const

/** What is kept of a request's context with the session. Client-made text is cut, never refused. */
export function originOf(context: Context | undefined): Origin {
  const { ip, userAgent } = context ? contextOf(context) : {}
  return { ...(ip && { ip }), ...(userAgent && { userAgent }) }
}
