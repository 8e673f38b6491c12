import type { Delivery, Device } from 'countersign'
import type { AccountView } from 'countersign/accounts'
import { type Static, Type } from 'typebox'
import type { ServerSession } from './kit.ts'

const Time = Type.String({ format: 'date-time', description: 'ISO 8601, UTC' })
const closed = { additionalProperties: false } as const

export const DeviceSchema = Type.Object(
  {
    id: Type.String({ minLength: 1, maxLength: 128 }),
    label: Type.Optional(Type.String({ minLength: 1, maxLength: 128 })),
    class: Type.Optional(Type.Union([Type.Literal('browser'), Type.Literal('mobile'), Type.Literal('cli')])),
  },
  closed,
)

export const DeliverySchema = Type.Union([Type.Literal('cookie'), Type.Literal('browser'), Type.Literal('bearer')])

/** A session as its owner sees it. Never a token. */
export const SessionSchema = Type.Object(
  {
    id: Type.String({ description: 'handle of the session, not a credential' }),
    subject: Type.String(),
    roles: Type.Array(Type.String()),
    audience: Type.Array(Type.String()),
    clientId: Type.String(),
    acr: Type.String(),
    amr: Type.Array(Type.String()),
    authTime: Time,
    createdAt: Time,
    lastSeenAt: Time,
    expiresAt: Time,
    delivery: DeliverySchema,
    persistent: Type.Boolean(),
    device: Type.Optional(DeviceSchema),
    ip: Type.Optional(Type.String()),
    userAgent: Type.Optional(Type.String()),
    current: Type.Boolean({ description: 'whether this is the session that asks' }),
  },
  closed,
)
export type SessionView = Static<typeof SessionSchema>

export const DeliveredSchema = Type.Object(
  {
    session: SessionSchema,
    accessToken: Type.Optional(Type.String()),
    expiresIn: Type.Integer({ description: 'seconds until the access token ends' }),
    refreshToken: Type.Optional(Type.String()),
  },
  closed,
)

export const AccountSchema = Type.Object(
  { subject: Type.String(), identifier: Type.String(), roles: Type.Array(Type.String()), createdAt: Time },
  closed,
)

/** ISO 8601 in UTC, of milliseconds since the epoch. */
export const isoTime = (ms: number): string => new Date(ms).toISOString()

/** @param currentId - The session that asks. */
export function sessionView(session: ServerSession, currentId?: string): SessionView {
  const { sessionId, device, origin } = session
  return {
    id: sessionId,
    subject: session.subject,
    roles: [...session.roles],
    audience: [...session.audience],
    clientId: session.clientId ?? '',
    acr: session.acr,
    amr: [...session.amr],
    authTime: isoTime(session.authTimeMs),
    createdAt: isoTime(session.createdAtMs),
    lastSeenAt: isoTime(session.lastSeenAtMs),
    expiresAt: isoTime(session.expiresAtMs),
    delivery: session.delivery,
    persistent: session.persistent,
    // A session that was opened without a device has an empty id.
    ...(device.id !== '' && { device: { ...device } }),
    ...(origin.ip !== undefined && { ip: origin.ip }),
    ...(origin.userAgent !== undefined && { userAgent: origin.userAgent }),
    current: sessionId === currentId,
  } satisfies SessionView & { delivery: Delivery; device?: Device }
}

export function accountView(account: AccountView): Static<typeof AccountSchema> {
  const { subject, identifier, roles, createdAtMs } = account
  return { subject, identifier, roles: [...roles], createdAt: isoTime(createdAtMs) }
}
