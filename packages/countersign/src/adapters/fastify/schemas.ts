import type { Route } from '../core/handlers.ts'

const text = { type: 'string' } as const
// With what Fastify's own error handler says: it is written by the schema of the route, which leaves out all else.
const problem = {
  type: 'object',
  description: 'application/problem+json',
  properties: {
    type: text,
    title: text,
    status: { type: 'integer' },
    code: text,
    detail: text,
    reason: text,
    endedBy: text,
    remedy: text,
    statusCode: { type: 'integer' },
    error: text,
    message: text,
  },
} as const
const problems = { '4xx': problem, '5xx': problem } as const
const form = { returnTo: text, form_token: text } as const
const session = {
  type: 'object',
  properties: {
    id: { type: 'string', description: 'handle of the session, not a credential' },
    subject: text,
    roles: { type: 'array', items: text },
    expiresAt: { type: 'string', format: 'date-time' },
  },
} as const
const delivered = {
  type: 'object',
  properties: {
    session,
    expiresIn: { type: 'integer', description: 'seconds until the access token ends' },
    accessToken: { type: 'string', description: 'not with the delivery cookie' },
    refreshToken: { type: 'string', description: 'only with the delivery bearer' },
    durability: { type: 'string', description: 'replicated, fsynced or local: where it was asked for' },
    replicas: { type: 'integer' },
  },
} as const
const seeOther = { type: 'null', description: 'to a form: the page that it leads to' } as const
const token = { refreshToken: { type: 'string', description: 'where it is not in the cookie' }, ...form } as const

const body = (properties: object) => ({ type: 'object', properties, additionalProperties: true })

/** Checks the bodies of the handlers and documents them: one schema for both. */
export const SCHEMAS: Readonly<Record<Route, object>> = {
  login: {
    summary: 'Open a session',
    body: body({
      delivery: { enum: ['cookie', 'browser', 'bearer'] },
      persistent: {
        anyOf: [{ type: 'boolean' }, { enum: ['true', 'false', 'on'] }],
        description: 'stay logged in after the browser is closed',
      },
      device: { type: 'object' },
      ...form,
    }),
    response: { 200: delivered, 303: seeOther, ...problems },
  },
  reauth: {
    summary: 'Prove it once more: a new session id and a fresh authentication time',
    body: body(form),
    response: { 200: delivered, 303: seeOther, ...problems },
  },
  refresh: {
    summary: 'Exchange the refresh token',
    body: body(token),
    response: { 200: delivered, 303: seeOther, ...problems },
  },
  logout: {
    summary: 'End this session',
    body: body(token),
    response: {
      202: { type: 'object', description: 'accepted, and not done yet', additionalProperties: true },
      204: { type: 'null', description: 'no content' },
      303: seeOther,
      ...problems,
    },
  },
  bounce: { hide: true },
}
