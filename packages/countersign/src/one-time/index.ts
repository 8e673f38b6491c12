export { createOneTime, type OneTimeOptions } from './create-one-time.ts'
export type { OneTimePurpose } from './purposes.ts'
export type {
  IssueOneTime,
  OneTime,
  OneTimeEvent,
  OneTimeEventType,
  OneTimeIssued,
  OneTimeRedeemed,
  OneTimeRefusalReason,
  OneTimeRefused,
  OneTimeSeen,
  OneTimeToken,
} from './types.ts'
