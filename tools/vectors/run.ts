// Runs one file of test vectors, in whatever known format it is, against the shipped verifier.
import { readFileSync } from 'node:fs'
import { type AccessTokenFile, loadAccessTokens } from './access-tokens.ts'
import type { Case, Loaded } from './cases.ts'
import { type CookbookFile, loadCookbook } from './cookbook.ts'
import { DEVIATIONS, type Deviation } from './deviations.ts'
import { loadRfc, type RfcFile } from './rfc.ts'
import { loadWycheproof, type WycheproofFile } from './wycheproof.ts'

export interface FileResult {
  readonly kind: string
  readonly passed: number
  /** What is wrong, one line each. */
  readonly failures: readonly string[]
  /** Pinned deviations that were seen; they count as passed. */
  readonly deviations: readonly Deviation[]
}

/** Unknown formats, unreadable files and files without a case are failures, never an empty success. */
export async function runFile(path: string): Promise<FileResult> {
  let loaded: Loaded
  try {
    loaded = await load(JSON.parse(readFileSync(path, 'utf8')))
  } catch (error) {
    return { kind: 'unknown', passed: 0, failures: [(error as Error).message], deviations: [] }
  }
  const failures: string[] = []
  const deviations: Deviation[] = []
  let passed = 0
  for (const one of loaded.cases) {
    const result = await judge(one)
    if (result.problem === undefined) passed++
    else failures.push(`${one.id} (${one.about}): ${result.problem}`)
    if (result.deviation) deviations.push(result.deviation)
  }
  failures.push(...((await loaded.close?.()) ?? []))
  if (loaded.cases.length === 0) failures.push('the file holds no case')
  return { kind: loaded.kind, passed, failures, deviations }
}

async function judge(one: Case): Promise<{ problem?: string; deviation?: Deviation }> {
  const pinned = DEVIATIONS.find((pin) => pin.fingerprint === one.fingerprint && pin.id === one.id)
  const verdicts = new Set<string>()
  try {
    // Twice: an answer that depends on what was asked before is no answer.
    for (let time = 0; time < 2; time++) verdicts.add(await one.run())
  } catch (error) {
    return { problem: `threw ${(error as Error).stack ?? error}` }
  }
  const [verdict] = verdicts
  if (verdicts.size !== 1) return { problem: 'accepted once and refused once' }
  if (one.expected === 'stable') return {}
  if (pinned) {
    const labelled = one.label === 'valid' || one.label === 'accept' ? 'accepted' : 'refused'
    if (verdict !== pinned.verdict) return { problem: `was ${verdict}; pinned as ${pinned.verdict}: ${pinned.reason}` }
    if (verdict === labelled) return { problem: `no longer deviates: remove it from tools/vectors/deviations.ts` }
    return { deviation: pinned }
  }
  return verdict === one.expected
    ? {}
    : { problem: `was ${verdict} and must be ${one.expected}; labelled ${one.label}` }
}

async function load(file: unknown): Promise<Loaded> {
  if (typeof file !== 'object' || file === null) throw new Error('is no JSON object')
  if ('testGroups' in file) return loadWycheproof(file as WycheproofFile)
  if ('expected' in file && 'keys' in file) return loadAccessTokens(file as AccessTokenFile)
  if ('source' in file) return loadRfc(file as unknown as RfcFile)
  if (('input' in file && 'output' in file) || 'kty' in file) return loadCookbook(file as CookbookFile)
  throw new Error('is in none of the known formats')
}
