// What every side serves: the same users, the same data, the same answer. A row compares how a request is checked, so
// nothing else may differ.
export const SESSIONS = 2_000
/** Sessions of one user. */
export const DEVICES = 5
export const ROLES: readonly string[] = ['user']
export const ISSUER = 'https://auth.example.com'
export const AUDIENCE = 'https://api.example.com'
/** Longer than the longest group runs, so that no side refuses half-way. */
export const LIFETIME_SECONDS = 3_600
/** What an application keeps with a session: 180 bytes of JSON. */
export const DATA = {
  cart: [
    { sku: 'kettle-violet-12dl', quantity: 1, cents: 4_990 },
    { sku: 'tea-darjeeling-1st-flush-250g', quantity: 2, cents: 1_890 },
  ],
  locale: 'en-GB',
  currency: 'GBP',
  seen: '26-11',
}

/** The user of the session with this number. */
export const subjectOf = (session: number): string => `user:${String(Math.floor(session / DEVICES)).padStart(7, '0')}`

/** A secret that is as long as the longest that any side asks for. */
export const SECRET = 'violet kettles orbit slowly around the 4th moon'

/** A new string of a token's bytes, by the quickest way that Node has. */
export const textOf = (bytes: Buffer): string => (bytes as Buffer & { latin1Slice(): string }).latin1Slice()
