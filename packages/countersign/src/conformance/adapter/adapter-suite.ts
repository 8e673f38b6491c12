import { invalidOption } from '../../internal/errors.ts'
import { refuseUnknown } from '../../strategies/options.ts'
import { type Case, declareSuite, type Group, type Runner, type Skip } from '../runner.ts'
import { type AdapterSessions, type AppBench, type Run, RunningApp, type StartedApp } from './bench.ts'
import { credentialCases } from './credentials.ts'
import { forgeryCases } from './forgery.ts'
import { guardCases } from './guards.ts'
import { pageCases } from './pages.ts'
import { refusalCases } from './refusals.ts'
import { renewalCases } from './renewal.ts'
import { requestCases } from './requests.ts'
import { streamCases } from './streams.ts'

/** Groups of cases. The first four are about any use of `countersign/http`, the others about what an adapter adds. */
export type AdapterPart =
  | 'credentials'
  | 'requests'
  | 'renewal'
  | 'refusals'
  | 'streams'
  | 'forgery'
  | 'guards'
  | 'pages'

export interface AdapterSuiteOptions {
  /** Where the cases go: a module such as `vitest` or `node:test`, or the parts of one. */
  readonly runner: Runner
  /** Name of the framework, for the title. */
  readonly name: string
  /**
   * Starts an application on these sessions, on a free port of the loopback. Called once for each run. It reads and writes
   * JSON, has the default names of the cookies, its handlers at `/`, its login page at `/login-page`, and these routes:
   *
   * - `POST /login` with `{ subject, roles?, delivery, acr? }`: `issue` with exactly that, as after a login that succeeded.
   *   200; the tokens as cookies for the delivery `cookie`, as `{ accessToken, refreshToken }` in the body for `bearer`.
   * - `POST /refresh`, the token in the cookie or as `{ refreshToken }` in the body: 200, the tokens in kind.
   * - `POST /logout`: ends the session that the access or the refresh token belongs to. 204, the cookies removed.
   * - `GET /me`: `{ subject, sessionId, roles }` of whoever it is.
   * - `GET /guarded`: the same, behind three guards one after the other: anybody logged in, the role `user`, the role `admin`.
   * - `POST /change`: behind a guard. 200 `{ subject }`.
   * - `GET /stream`: behind a guard: 64 lines with the subject, with a turn of the event loop between two of them.
   * - `GET /late`: behind a guard: a line `begun`, and when it is on its way a check with `fresh`, and a line with the subject. What the
   *   check throws is thrown on.
   * - `GET /page`, also for people: as `/me`. `GET /recent`, `/strong`, `/other`, `/fresh`: as `/me`, with `maxAge: '10m'`, `acr: 'aal2'`,
   *   `audience: 'https://other.test'`, `fresh: true`.
   * - `GET /outage`: with `outage: { verifiedWithin: '30s' }`, `{ subject, degraded }`.
   * - `GET /form`, for everybody: `{ token }`, a form token. `POST /form`, behind a guard with `form: true`: as `/change`.
   *
   * HEAD is answered wherever GET is. Unsafe requests have to prove that they come from `origin` (`checkOrigin` of
   * `countersign/http`). Refusals and faults are answered as `problemOf` and `problemOfFault` say.
   */
  start(sessions: AdapterSessions, run: Run): Promise<StartedApp>
  /** Strategies of which all cases are run. Default both. */
  readonly strategies?: readonly Run['strategy'][]
  /** Whether all is run over HTTP/2 as well, without TLS; or why not. Default not. */
  readonly http2?: true | { readonly notRun: string }
  /** Parts that are not run, each with the reason. */
  readonly notRun?: Readonly<Partial<Record<AdapterPart, string>>>
  /** Cases that the adapter cannot pass, each with the reason; with `over` only in the runs over that protocol. */
  readonly skip?: readonly (Skip & { readonly over?: Run['protocol'] })[]
}

const OPTIONS = new Set(['runner', 'name', 'start', 'strategies', 'http2', 'notRun', 'skip'])
const PARTS = {
  credentials: credentialCases,
  requests: requestCases,
  renewal: renewalCases,
  refusals: refusalCases,
  streams: streamCases,
  forgery: forgeryCases,
  guards: guardCases,
  pages: pageCases,
} satisfies Record<AdapterPart, (bench: AppBench) => void>

/**
 * What an application that uses Countersign over HTTP has to get right, whatever the framework: where credentials come
 * from, what happens between requests, what an answer says, and what an outage is. For whoever writes an adapter.
 *
 * The sessions are the suite's own, in memory, on a clock of its own; an outage is theirs. Requests go over real sockets,
 * each answered within 20 s.
 *
 * @throws CountersignError `ERR_CONFIG_INVALID` when an option is wrong, or a skip names a case that does not exist.
 */
export function adapterSuite(options: AdapterSuiteOptions): void {
  refuseUnknown(options, OPTIONS, 'adapterSuite')
  const { strategies = ['allowlist', 'opaque'], http2, skip = [] } = options
  const runs: Run[] = strategies.map((strategy) => ({ strategy, protocol: 'http1' }))
  if (http2 === true) runs.push({ strategy: 'allowlist', protocol: 'http2' })
  const made = runs.map((run) => groupsOf(options, run))
  const titles = new Set(made.flatMap(({ groups }) => groups.flatMap(({ cases }) => cases.map(({ title }) => title))))
  const stray = skip.flatMap(({ tests }) => tests).filter((title) => !titles.has(title))
  if (stray.length > 0) throw invalidOption('skip', `names cases that do not exist: ${stray.join('; ')}`)
  made.forEach(({ groups, end }, i) => {
    const { strategy, protocol } = runs[i]!
    const here = new Set(groups.flatMap(({ cases, notRun }) => (notRun ? [] : cases.map(({ title }) => title))))
    const ours = skip
      .filter(({ over = protocol }) => over === protocol)
      .map(({ reason, tests }) => ({ reason, tests: tests.filter((title) => here.has(title)) }))
    // A named skip stands once, beside what is run.
    const whole =
      i === 0 && typeof http2 === 'object' ? [...groups, { title: 'HTTP/2', cases: [], notRun: http2.notRun }] : groups
    const over = protocol === 'http2' ? ' over HTTP/2' : ''
    declareSuite(options.runner, `${options.name} adapter, ${strategy}${over}`, whole, ours, end)
  })
}

/** The cases of one run. Its application is started by the first of them. */
function groupsOf(
  { start, notRun = {} }: AdapterSuiteOptions,
  run: Run,
): { groups: Group[]; end: () => Promise<void> } {
  let starting: Promise<RunningApp> | undefined
  const startOnce = () => {
    starting ??= RunningApp.start(run, (sessions) => start(sessions, run))
    return starting
  }
  const has = { refresh: run.strategy === 'allowlist', http1: run.protocol === 'http1' }
  const groups = (Object.keys(PARTS) as AdapterPart[]).map((part): Group => {
    const cases: Case[] = []
    PARTS[part]({
      test(title, test, ...needs) {
        if (needs.every((need) => has[need])) cases.push({ title, run: async () => test(await startOnce()) })
      },
    })
    const reason = notRun[part]
    return { title: part, cases, ...(reason !== undefined && { notRun: reason }) }
  })
  const end = async () => {
    await (await starting?.catch(() => undefined))?.close()
  }
  return { groups, end }
}
