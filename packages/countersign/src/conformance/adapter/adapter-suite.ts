import { refuseUnknown } from '../../strategies/options.ts'
import { type Case, declareSuite, type Runner, type Skip } from '../runner.ts'
import { type AdapterSessions, type AppBench, RunningApp, type StartedApp } from './bench.ts'
import { credentialCases } from './credentials.ts'
import { refusalCases } from './refusals.ts'
import { renewalCases } from './renewal.ts'
import { requestCases } from './requests.ts'

export interface AdapterSuiteOptions {
  /** Where the cases go: a module such as `vitest` or `node:test`, or the parts of one. */
  readonly runner: Runner
  /** Name of the framework, for the title. */
  readonly name: string
  /**
   * Starts an application on these sessions, on a free port of the loopback. Called once. It has these routes, reads and
   * writes JSON, and uses the default names of the cookies:
   *
   * - `POST /login` with `{ subject, roles?, delivery }`: `issue` with exactly that, as after a login that succeeded.
   *   200; the tokens as cookies for the delivery `cookie`, as `{ accessToken, refreshToken }` in the body for `bearer`.
   * - `POST /refresh`, the token in the cookie or as `{ refreshToken }` in the body: 200, the tokens in kind.
   * - `POST /logout`: ends the session that the access or the refresh token belongs to. 204, the cookies removed.
   * - `GET /me`: `{ subject, sessionId, roles }` of whoever it is.
   * - `GET /guarded`: the same, behind three guards one after the other: anybody logged in, the role `user`, the role `admin`.
   *
   * HEAD is answered wherever GET is. Unsafe requests have to prove that they come from `origin` (`checkOrigin` of
   * `countersign/http`). Refusals and faults are answered as `problemOf` and `problemOfFault` say.
   */
  start(sessions: AdapterSessions): Promise<StartedApp>
  /** Cases that the adapter cannot pass, each with the reason. */
  readonly skip?: readonly Skip[]
}

const OPTIONS = new Set(['runner', 'name', 'start', 'skip'])

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
  const { runner, name, start, skip = [] } = options
  let starting: Promise<RunningApp> | undefined
  const startOnce = () => {
    starting ??= RunningApp.start((sessions) => start(sessions))
    return starting
  }
  const cases: Case[] = []
  const bench: AppBench = {
    test: (title, run) => void cases.push({ title, run: async () => run(await startOnce()) }),
  }
  for (const file of [credentialCases, requestCases, renewalCases, refusalCases]) file(bench)
  declareSuite(runner, `${name} adapter`, [{ title: 'adapter', cases }], skip, async () => {
    await (await starting?.catch(() => undefined))?.close()
  })
}
