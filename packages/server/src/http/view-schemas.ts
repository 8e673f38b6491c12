import { type Static, Type } from 'typebox'
import { closed } from './schemas.ts'

const Time = Type.String({ format: 'date-time', description: 'ISO 8601, UTC' })

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
  {
    subject: Type.String(),
    identifier: Type.String(),
    emailVerified: Type.Boolean({ description: 'whether mail to the identifier was shown to reach its owner' }),
    roles: Type.Array(Type.String()),
    createdAt: Time,
  },
  closed,
)

export type AccountAnswer = Static<typeof AccountSchema>
