import { createEmitter } from '../events/emitter.ts'
import { sha256, toBase64url } from '../internal/bytes.ts'
import { inputDurationMs } from '../internal/duration.ts'
import { invalidInput, invalidOption } from '../internal/errors.ts'
import { type Runtime, systemRuntime } from '../internal/runtime.ts'
import { checkText, contextOf } from '../session/input.ts'
import type { Context } from '../session/types.ts'
import type { Store } from '../stores/contract.ts'
import { refuseUnknown } from '../strategies/options.ts'
import { type Keyring, keysOf } from '../tokens/keyring.ts'
import { subjectRef } from '../tokens/session-id.ts'
import { type OneTimePurpose, PURPOSES } from './purposes.ts'
import { boundOf, decodeStored, encodeStored, type Stored } from './stored.ts'
import { newHandle, placeOf, readHandle, readToken, secretOf, writeHandle, writeToken } from './token.ts'
import type {
  IssueOneTime,
  OneTime,
  OneTimeEvent,
  OneTimeExplanation,
  OneTimeRedeemed,
  OneTimeRefusalReason,
  OneTimeRefused,
  OneTimeSeen,
  OneTimeToken,
} from './types.ts'

/** What `createOneTime` takes. */
export interface OneTimeOptions {
  /** The store that the sessions use, or another one. */
  store: Pick<Store, 'once'> & Partial<Store>
  /** The one that the sessions use. */
  keyring: Keyring
  /** Clock and random source: for tests. */
  runtime?: Runtime
}

const OPTIONS = new Set(['store', 'keyring', 'runtime'])
const MAX_TEXT = 4_096
const NOBODY = Buffer.from('cs-once-nobody-1')

/**
 * Makes the one-time tokens of one application. Opens nothing.
 *
 * @throws CountersignError `ERR_CONFIG_INVALID` naming the option.
 */
export function createOneTime(options: OneTimeOptions): OneTime {
  refuseUnknown(options, OPTIONS, 'createOneTime')
  const { store, keyring, runtime = systemRuntime } = options
  if (typeof store?.once?.take !== 'function') throw invalidOption('store', 'must keep one-time tokens')
  const { once, lifecycle } = store
  const keys = () => keysOf(keyring)
  keys()
  const events = createEmitter<OneTimeEvent>()
  const nowMs = () => Math.floor(lifecycle?.nowMs() ?? runtime.clock.nowMs())
  const ready = async () => lifecycle?.ready(keys().placementFingerprint)
  type Detail<T> = T extends OneTimeEvent ? Omit<T, 'at' | 'subject' | 'tenant' | 'context'> : never
  const tell = (detail: Detail<OneTimeEvent>, about: Partial<Stored>, context: Context | undefined): void => {
    const { subject, tenant } = about
    events.emit({
      ...detail,
      at: new Date(nowMs()).toISOString(),
      ...(subject !== undefined && { subject }),
      ...(tenant !== undefined && { tenant }),
      ...(context && { context: contextOf(context) }),
    } as OneTimeEvent)
  }

  /** What is common to looking at a token and using it: nothing is asked of the store before the MAC is found right. */
  const open = async (token: string, purpose: OneTimePurpose, how: 'look' | 'take') => {
    ruleOf(purpose)
    const read = readToken(token, keys())
    if (!read.ok) return refused(read.reason)
    const { handle, hash } = read
    const id = writeHandle(handle)
    if (handle.purpose !== purpose) return { ...refused('wrong_purpose'), id }
    await ready()
    const bytes = await once[how](placeOf(handle), hash, nowMs())
    if (!bytes) return { ...refused('unknown'), id }
    const stored = decodeStored(bytes)
    const isBoundTo = (state: string) => boundOf(handle.id, state) === stored.bound
    return { ok: true as const, id, stored, isBoundTo }
  }

  return Object.freeze({
    async issue({ purpose, subject, boundTo, lifetime, data, context }: IssueOneTime) {
      const { lifetimeMs, maxMs } = ruleOf(purpose)
      checkText(boundTo, 'boundTo', MAX_TEXT)
      if (data !== undefined) checkText(data, 'data', MAX_TEXT)
      const forMs = lifetime === undefined ? lifetimeMs : inputDurationMs(lifetime, 'lifetime')
      if (forMs > maxMs) throw invalidInput('lifetime', `is longer than ${purpose} allows`)
      const { tag, ...named } = subjectRef(keyring, subject)
      const handle = newHandle(purpose, tag, keys(), runtime.random)
      await ready()
      const expiresAtMs = nowMs() + forMs
      const bound = boundOf(handle.id, boundTo)
      const stored = { bound, ...named, ...(data !== undefined && { data }), untilMs: expiresAtMs }
      const value = { hash: sha256(secretOf(handle, keys())), bytes: encodeStored(stored) }
      await once.put(placeOf(handle), value, expiresAtMs)
      const id = writeHandle(handle)
      tell({ type: 'one_time_requested', id, purpose, expiresAtMs }, named, context)
      return { id, expiresAtMs }
    },

    async pretend(purpose: OneTimePurpose) {
      const { lifetimeMs } = ruleOf(purpose)
      const handle = newHandle(purpose, toBase64url(runtime.random(9)), keys(), runtime.random)
      const stored = { bound: boundOf(handle.id, 'nobody'), subject: 'nobody', untilMs: nowMs() + lifetimeMs }
      const hash = sha256(secretOf(handle, keys()))
      await ready()
      // One place for all of them: whoever asks for people that do not exist must not fill the store.
      await once.put(sha256(NOBODY), { hash, bytes: encodeStored(stored) }, stored.untilMs)
    },

    tokenFor: (id: string) => writeToken(readHandle(id), keys()) as OneTimeToken,

    purposeOf: (id: string) => readHandle(id).purpose,

    async explain(token: string): Promise<OneTimeExplanation> {
      const read = readToken(token, keys())
      if (!read.ok) return { accepted: false, reason: read.reason }
      const { purpose } = read.handle
      const opened = await open(token, purpose, 'look')
      const about = { purpose, id: writeHandle(read.handle) }
      if (!opened.ok) return { accepted: false, reason: opened.reason, ...about }
      const { ok: _, ...more } = seen(opened.id, opened.stored)
      return { accepted: true, ...about, ...more }
    },

    async look(token: string, { purpose }: { purpose: OneTimePurpose }): Promise<OneTimeSeen | OneTimeRefused> {
      const opened = await open(token, purpose, 'look')
      if (!opened.ok) return refused(opened.reason)
      return Object.freeze({ ...seen(opened.id, opened.stored), isBoundTo: opened.isBoundTo })
    },

    async redeem(
      token: string,
      { purpose, boundTo, context }: { purpose: OneTimePurpose; boundTo: string; context?: Context },
    ): Promise<OneTimeRedeemed | OneTimeRefused> {
      checkText(boundTo, 'boundTo', MAX_TEXT)
      const opened = await open(token, purpose, 'take')
      const known = 'id' in opened ? { id: opened.id } : {}
      if (!opened.ok) {
        tell({ type: 'one_time_refused', purpose, reason: opened.reason, ...known }, {}, context)
        return refused(opened.reason)
      }
      const { id, stored } = opened
      if (!opened.isBoundTo(boundTo)) {
        tell({ type: 'one_time_refused', purpose, reason: 'state_changed', id }, stored, context)
        return refused('state_changed')
      }
      tell({ type: 'one_time_redeemed', id, purpose }, stored, context)
      return seen(id, stored)
    },

    events,
  })
}

function ruleOf(purpose: OneTimePurpose) {
  if (!Object.hasOwn(PURPOSES, purpose)) throw invalidInput('purpose', 'is not one that there is')
  return PURPOSES[purpose]
}

function seen(id: string, { subject, tenant, data, untilMs }: Stored): OneTimeRedeemed {
  return Object.freeze({
    ok: true,
    id,
    subject,
    ...(tenant !== undefined && { tenant }),
    ...(data !== undefined && { data }),
    expiresAtMs: untilMs,
  })
}

function refused(reason: OneTimeRefusalReason): OneTimeRefused {
  return Object.freeze({ ok: false, reason })
}
