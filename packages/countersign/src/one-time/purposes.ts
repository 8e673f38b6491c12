/** What a one-time token is good for, with its number in the token and how long it may live, in milliseconds. */
export const PURPOSES = {
  /** Sets a new password without the old one. */
  password_reset: { number: 1, lifetimeMs: 20 * 60_000, maxMs: 3_600_000, several: false },
  /** Shows that an address belongs to the owner of an account. */
  email_verification: { number: 2, lifetimeMs: 86_400_000, maxMs: 86_400_000, several: false },
  /** Lets somebody in who has no account yet, or no password (ASVS 6.4.1). */
  invite: { number: 3, lifetimeMs: 86_400_000, maxMs: 7 * 86_400_000, several: false },
  /** Opens a socket for a session that has proved itself by HTTP (ASVS 4.4.2). Tabs need one each. */
  socket_ticket: { number: 4, lifetimeMs: 30_000, maxMs: 30_000, several: true },
} as const satisfies Record<string, PurposeRule>

interface PurposeRule {
  /** 1 to 255, never used again for anything else. */
  readonly number: number
  readonly lifetimeMs: number
  readonly maxMs: number
  /** False: a new token voids the one that the subject had for this purpose. */
  readonly several: boolean
}

export type OneTimePurpose = keyof typeof PURPOSES

export function purposeOf(number: number): OneTimePurpose | undefined {
  for (const [name, rule] of Object.entries(PURPOSES)) if (rule.number === number) return name as OneTimePurpose
  return undefined
}
