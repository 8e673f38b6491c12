import { type Reader, SeveralProblems } from './readers.ts'

/** A service behind a proxy that wants proof of who somebody is. */
export interface UpstreamSetting {
  /** What the proxy calls it: `/verify?upstream=NAME`. */
  readonly name: string
  /** `aud` of its assertions. */
  readonly audience: string
}

const MEMBERS = new Set(['name', 'audience'])
const MAX_UPSTREAMS = 1_000
const NAME = /^[\w.~-]{1,64}$/

/** The list `upstreams`. Finds everything that is wrong with it. */
export const upstreamList: Reader<readonly UpstreamSetting[]> = (value) => {
  if (!Array.isArray(value) || value.length > MAX_UPSTREAMS) throw new Error('must be a list of upstreams')
  const problems: string[] = []
  const names = new Set<unknown>()
  const upstreams = value.map((entry: unknown, index) => {
    const report = (problem: string) => problems.push(`[${index}] ${problem}`)
    if (typeof entry !== 'object' || entry === null || Array.isArray(entry)) {
      report('must be an object')
      return undefined
    }
    for (const member of Object.keys(entry))
      if (!MEMBERS.has(member)) report(`has a member ${JSON.stringify(member)} that does not exist`)
    const { name, audience } = entry as Record<string, unknown>
    if (typeof name !== 'string' || !NAME.test(name)) report('"name" must be 1 to 64 letters, digits and . _ ~ -')
    if (names.size === names.add(name).size) report('"name" is that of another upstream')
    if (typeof audience !== 'string' || audience === '' || audience.length > 512)
      report('"audience" must be 1 to 512 characters')
    return Object.freeze({ name, audience }) as UpstreamSetting
  })
  if (problems.length > 0) throw new SeveralProblems(problems)
  return Object.freeze(upstreams.map((upstream) => upstream!))
}
