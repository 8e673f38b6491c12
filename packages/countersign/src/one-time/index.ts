export { createOneTime, type OneTimeOptions } from './create-one-time.ts'
export type { OneTimePurpose } from './purposes.ts'
export type {
  IssueOneTime,
  OneTime,
  OneTimeEvent,
  OneTimeEventType,
  OneTimeExplanation,
  OneTimeIssued,
  OneTimeRedeemed,
  OneTimeRefusalReason,
  OneTimeRefused,
  OneTimeSeen,
  OneTimeToken,
} from './types.ts'
