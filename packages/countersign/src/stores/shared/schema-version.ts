/** How far a database came, as its table of migrations says. */
export interface SchemaVersion {
  /** Number of the last migration; 0 for a new database. */
  readonly applied: number
  /** The oldest schema whose releases can go on with it: the highest that any migration names. */
  readonly readableFrom: number
}

/**
 * What a release that knows the migrations up to `known` has to do. `refused`: a newer release has changed what this one
 * depends on. `current` also for one that was only added to: releases N-1 and N run side by side, and N-1 may start again.
 */
export function judgeSchema(
  { applied, readableFrom }: SchemaVersion,
  known: number,
): 'outdated' | 'current' | 'refused' {
  if (applied < known) return 'outdated'
  return readableFrom > known ? 'refused' : 'current'
}

/** For the message of a refusal. */
export function schemaProblem({ applied, readableFrom }: SchemaVersion, known: number): string {
  return `schema ${applied}, which releases from schema ${readableFrom} on can use, and this release knows ${known}`
}
