export type { NearCacheHealth } from './cache/health.ts'
export type { NearCacheOptions } from './cache/options.ts'
export { createSessions, type SessionsOptions } from './create-sessions.ts'
export { fileJournal } from './durable/file-journal.ts'
export type { Journal } from './durable/journal.ts'
export type { Events, SessionEvent, SessionEventType } from './events/events.ts'
export type { Duration } from './internal/duration.ts'
export { CountersignError, type ErrorCode, type ErrorDetails } from './internal/errors.ts'
export type { Immutable } from './internal/immutable.ts'
export { type Clock, type Runtime, systemRuntime, type Timers } from './internal/runtime.ts'
export type { BreakerHealth } from './outage/breaker.ts'
export type { AccessToken, RefreshToken, SessionId, Subject, SubjectRef } from './session/ids.ts'
export type { TimeoutPreset, Timeouts } from './session/lifetimes.ts'
export type { EndReason, RefusalReason, Refused, Remedy } from './session/reasons.ts'
export type { Delivery, Device } from './session/record.ts'
export type { StandardSchema } from './session/schema.ts'
export type {
  Checked,
  Context,
  Degraded,
  DegradedSession,
  Durability,
  Ended,
  Explanation,
  FollowDemands,
  Following,
  FollowOn,
  OutagePolicy,
  Principal,
  Session,
  Verifier,
  VerifyOptions,
  WatchedEnd,
  WhenAway,
} from './session/types.ts'
export type { Issue, Issued, OutageHealth, Records, Sessions, SessionsHealth } from './sessions.ts'
export type { Store } from './stores/contract.ts'
export { allowlist, denylist, type Jwt, opaque, type Strategy, stateless } from './strategies/factories.ts'
export { generateKeyring } from './tokens/generate-keyring.ts'
export type { KeyJwk, KeyState, SigningAlg } from './tokens/key-material.ts'
export { type Keyring, loadKeyring } from './tokens/keyring.ts'
export type { KeyInfo, KeyringFile, RotatedUse } from './tokens/keys.ts'
export { pseudonym } from './tokens/pseudonym.ts'
export {
  type ChangedKey,
  pendingKey,
  type RotatedKeyring,
  retireKey,
  rotateKeyring,
  withdrawKey,
} from './tokens/rotate-keyring.ts'
export { parseSessionId, subjectRef } from './tokens/session-id.ts'
export type { VerifyingAlg } from './tokens/signatures.ts'
export { createVerifier, type VerifierRecords } from './verifier/local.ts'
export { createRemoteVerifier, type RemoteTrust } from './verifier/remote.ts'
export type { Trust } from './verifier/trust.ts'
