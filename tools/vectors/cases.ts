// What every kind of vector file is turned into, and the rule by which a case passes.

/** What the file says should happen. `refused` also stands for algorithms and forms that Countersign does not ship. */
export type Expected = 'accepted' | 'refused' | 'stable'
export type Verdict = 'accepted' | 'refused'

export interface Case {
  readonly id: string
  /** What the file calls it. */
  readonly about: string
  /** The result as the file states it, for the list of deviations. */
  readonly label: string
  readonly expected: Expected
  /** Identifies the input, whatever the file is called. */
  readonly fingerprint: string
  /** Asks the verifier. Thrown errors of the verifier are no verdict: the case fails. */
  run(): Verdict | Promise<Verdict>
}

export interface Loaded {
  readonly kind: string
  readonly cases: readonly Case[]
  /** Ends what the cases needed, and says what should not have happened in all of them. */
  close?(): Promise<readonly string[]>
}

/** The algorithms that are shipped, by the names that vectors use. */
export const SHIPPED: ReadonlySet<unknown> = new Set(['HS256', 'ES256', 'Ed25519', 'EdDSA', 'RS256'])

/** A refusal is a value, or an unusable key: `ERR_KEY_UNUSABLE`. Anything else that is thrown is a bug. */
export function verdictOf(check: () => boolean): Verdict {
  try {
    return check() ? 'accepted' : 'refused'
  } catch (error) {
    if ((error as { code?: unknown }).code === 'ERR_KEY_UNUSABLE') return 'refused'
    throw error
  }
}
