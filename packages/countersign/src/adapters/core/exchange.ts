import { clientAddress } from '../../http/client-address.ts'
import { oneCookie } from '../../http/cookies.ts'
import { findCredentials } from '../../http/credentials.ts'
import { isFormToken, writeFormToken } from '../../http/form-token.ts'
import type { HttpRefused } from '../../http/refusals.ts'
import { singleHeader } from '../../http/request.ts'
import { setPlainCookie } from '../../http/set-cookie.ts'
import { toBase64url } from '../../internal/bytes.ts'
import type { SessionId } from '../../session/ids.ts'
import { refuse } from '../../session/reasons.ts'
import type {
  Checked,
  Context,
  Degraded,
  DegradedSession,
  OutagePolicy,
  Principal,
  VerifyOptions,
} from '../../session/types.ts'
import { forgery } from './forgery.ts'
import type { Kit } from './options.ts'
import { quickToken } from './quick-token.ts'
import type { RequestSource } from './source.ts'
import type { Auth, Demands, WebSessions } from './types.ts'

type Said = Checked<any> | HttpRefused
/** What a guard demands besides, where the store does not answer. */
export type Asked = Demands & { readonly outage?: OutagePolicy }

/**
 * One request: what is known of its caller. All guards and checks of the request share it, so the store is asked once. It is
 * what applications see as `auth` on the request.
 */
export class Exchange implements Auth<WebSessions> {
  readonly kit: Kit
  readonly source: RequestSource
  session: any = undefined
  degraded: DegradedSession | undefined = undefined
  refused: HttpRefused | undefined = undefined
  /** How the credential came; `undefined` until one was found. */
  from: 'header' | 'cookie' | undefined = undefined
  /** The token of a plain request whose store must be asked: what {@link findCredentials} would find as well. */
  #plain: string | undefined = undefined
  /** What the store, or a copy, said of the token as such. */
  #known: Checked<any> | undefined = undefined
  #isFresh = false
  #asking: { readonly fresh: boolean; readonly answer: Promise<Checked<any>> } | undefined = undefined
  #context: Context | undefined = undefined
  #browser: string | undefined = undefined

  constructor(kit: Kit, source: RequestSource) {
    this.kit = kit
    this.source = source
  }

  /** Answers from memory: `undefined` when the store must be asked, or when anything about the request is unusual. */
  checkNow(demands: Demands): Said | undefined {
    if (this.#known !== undefined) {
      return demands.fresh && !this.#isFresh ? undefined : this.#judge(this.#known, demands)
    }
    const { source, kit } = this
    const { authorization } = source
    const token = quickToken(authorization, source.cookie, kit.cookies)
    if (token === undefined || token === '') return undefined
    this.from = authorization === undefined ? 'cookie' : 'header'
    const asked = demands instanceof GuardDemands ? demands : new GuardDemands(demands)
    const before = asked.exchange
    asked.exchange = this
    const checked = kit.sessions.verifyNow(token, asked as VerifyOptions)
    asked.exchange = before
    if (checked === undefined) {
      this.#plain = token
      return undefined
    }
    if (!checked.ok) {
      const found = findCredentials(source, { names: kit.cookies })
      if (!found.ok) return this.#note(found)
      if (found.access?.token !== token) return undefined
      this.refused = checked
      return checked
    }
    this.#known = checked
    return this.#accept(checked)
  }

  async check(demands: Demands = NOTHING): Promise<Said> {
    const checked = (await this.checkWith(demands)) as Said
    // Whoever asks may be about to change something.
    const forged = checked.ok ? forgery(this) : undefined
    if (forged === undefined) return checked
    this.session = undefined
    return this.#note(forged)
  }

  /** The same, with what may be done in an outage, and without the check for forgery. */
  async checkWith(demands: Asked): Promise<Said | Degraded> {
    return this.checkNow(demands) ?? this.ask(demands)
  }

  /** The same for who has called {@link checkNow} already. */
  async ask(demands: Asked): Promise<Said | Degraded> {
    const token = this.#plain ?? this.#find()
    if (typeof token !== 'string') return this.#note(token)
    const { kit } = this
    const { outage, roles, acr, maxAge, fresh, audience } = demands
    // What these ask for is what only the store knows: then its fault is thrown.
    const asksForMore = roles !== undefined || acr !== undefined || maxAge !== undefined || fresh === true
    if (outage !== undefined && !asksForMore && this.#known === undefined) {
      // With it from the first request on: the process remembers only what it was asked to.
      const answer = await kit.sessions.verify(token, { outage, context: this.context() })
      if (answer.ok && answer.degraded) {
        if (audience !== undefined && !answer.session.audience.includes(audience))
          return this.#note(refuse('claim_mismatch'))
        this.degraded = answer.session
        return answer
      }
      // Meanwhile another check of this request may have heard something fresh.
      this.#known ??= answer
    }
    const known = await this.#ask(token, fresh === true)
    // Of a request that is refused all is looked at, as in `checkNow`.
    const careful = known.ok || this.#plain === undefined ? token : this.#find()
    if (typeof careful !== 'string') return this.#note(careful)
    const said = this.#judge(known, demands)
    if (said !== undefined) return said
    // Only the verifier knows the order of the levels and the time.
    const { outage: _, ...rest } = demands
    const again = await kit.sessions.verify(token, { ...rest, context: this.context() })
    return again.ok ? this.#accept(again) : this.#note(again)
  }

  /** The token, or why there is none that could be asked for. */
  #find(): string | HttpRefused {
    const found = findCredentials(this.source, { names: this.kit.cookies })
    if (!found.ok) return found
    this.from = found.access?.from
    return found.access?.token || refuse('missing')
  }

  /** What the token is good for as such, whatever a guard demands: so that all who ask at the same time share one answer. */
  #ask(token: string, fresh: boolean): Promise<Checked<any>> {
    if (this.#known !== undefined && (this.#isFresh || !fresh)) return Promise.resolve(this.#known)
    if (this.#asking !== undefined && (this.#asking.fresh || !fresh)) return this.#asking.answer
    const answer = this.kit.sessions.verify(token, new Asking(this, fresh)).then(
      (known) => {
        if (this.#isFresh && !fresh) return known
        this.#isFresh = fresh
        this.#known = known
        return known
      },
      (fault: unknown) => {
        if (this.#asking?.answer === answer) this.#asking = undefined
        throw fault
      },
    )
    this.#asking = { fresh, answer }
    return answer
  }

  /** Judges what is known by what this call demands. `undefined`: only the verifier can. */
  #judge(known: Checked<any>, demands: Demands): Said | undefined {
    if (!known.ok) return this.#note(known)
    const { inside } = this.kit
    if (inside === undefined) return demandsMore(demands, known.session) ? undefined : this.#accept(known)
    const refusal = inside.judge(known.session, demands, () => this.context())
    return refusal === undefined ? this.#accept(known) : this.#note(refusal)
  }

  #accept<C extends { readonly ok: true; readonly session: Principal }>(checked: C): C {
    this.session = checked.session
    this.degraded = undefined
    this.refused = undefined
    return checked
  }

  #note<R extends HttpRefused>(refused: R): R {
    this.refused = refused
    return refused
  }

  context(): Context {
    if (this.#context) return this.#context
    const { source, kit } = this
    const userAgent = singleHeader(source, 'user-agent')
    const ip = clientAddress(source, source.peer, kit.isOurProxy)
    const { requestId } = source
    this.#context = {
      ...(ip !== undefined && { ip }),
      ...(userAgent !== 'several' && userAgent.value !== undefined && { userAgent: userAgent.value }),
      ...(requestId !== undefined && { requestId }),
    }
    return this.#context
  }

  formToken(addCookie = (line: string) => this.source.addCookie(line)): string {
    return writeFormToken(this.#boundTo() ?? this.#newBrowser(addCookie), this.kit.keys(), this.kit.random)
  }

  isFormToken(token: unknown): boolean {
    const boundTo = this.#boundTo()
    return boundTo !== undefined && this.#isBound(token, boundTo)
  }

  /** The same of a session that the request has a genuine token of. */
  isFormTokenOf(id: SessionId, token: unknown): boolean {
    return this.#isBound(token, `session:${id}`)
  }

  #isBound(token: unknown, boundTo: string): boolean {
    // Without sessions of ours there are no form tokens, whatever a request says.
    const keys = this.kit.inside?.keys
    return keys !== undefined && isFormToken(token, boundTo, keys)
  }

  /** For logs that write down a whole request: whose it is, and nothing of what stands behind it. */
  toJSON(): { readonly subject?: string } {
    const subject = this.session?.subject ?? this.degraded?.subject
    return subject === undefined ? {} : { subject }
  }

  /** What form tokens of this request are bound to: the session, or a browser that has none. */
  #boundTo(): string | undefined {
    if (this.session?.sessionId !== undefined) return `session:${this.session.sessionId}`
    const browser = this.#browser ?? oneCookie(this.source, this.kit.cookies.form)
    return browser === undefined ? undefined : `browser:${browser}`
  }

  #newBrowser(addCookie: (line: string) => void): string {
    this.#browser = toBase64url(this.kit.random(16))
    addCookie(setPlainCookie('form', this.#browser, this.kit.cookies))
    return `browser:${this.#browser}`
  }
}

const NOTHING: Demands = Object.freeze({})

/**
 * What one request asks: only a refusal needs the context, so it is made only then. A class, because a getter in a literal gives each
 * object a shape of its own, which the collector pays for at every request.
 */
class Asking implements VerifyOptions {
  readonly fresh: boolean
  readonly #exchange: Exchange

  constructor(exchange: Exchange, fresh: boolean) {
    this.#exchange = exchange
    this.fresh = fresh
  }

  get context(): Context {
    return this.#exchange.context()
  }
}

/** Whether a session that is live may still not do: where nobody but the verifier can judge. */
function demandsMore(demands: Demands, session: Principal): boolean {
  const { roles, acr, maxAge, audience } = demands
  if (maxAge !== undefined) return true
  if (acr !== undefined && acr !== session.acr) return true
  if (audience !== undefined && !session.audience.includes(audience)) return true
  return roles !== undefined && !roles.some((role) => session.roles.includes(role))
}

/**
 * The demands of a guard, made once, with the context of the request that is being checked: only a refusal needs it, so it
 * is made only then. One object for all requests, since `verifyNow` never waits.
 */
export class GuardDemands implements Demands {
  readonly roles!: readonly string[]
  readonly acr!: string
  readonly maxAge!: NonNullable<Demands['maxAge']>
  readonly audience!: string
  readonly fresh!: boolean
  exchange: Exchange | undefined = undefined

  constructor(demands: Demands) {
    Object.assign(this, { roles: undefined, acr: undefined, maxAge: undefined, audience: undefined, fresh: undefined })
    Object.assign(this, demands)
  }

  get context(): Context | undefined {
    return this.exchange?.context()
  }
}
