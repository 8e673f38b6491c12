export { FAULT_ANSWERS, type FaultAnswer, REFUSAL_ANSWERS, type RefusalAnswer, TITLES } from './answers.ts'
export { readBearer } from './bearer.ts'
export {
  allCookies,
  COOKIE_NAMES,
  type CookieNames,
  type CookieUse,
  carriesCookies,
  expireCookie,
  MAX_COOKIE_AGE_SECONDS,
  MAX_COOKIE_BYTES,
  type OurCookies,
  readCookies,
  resolveCookieNames,
  setCookie,
} from './cookies.ts'
export { type Credential, type Credentials, findCredentials } from './credentials.ts'
export {
  checkOrigin,
  ORIGIN_VARY,
  type OriginEvidence,
  type OriginRule,
  originEvidence,
  resolveOrigins,
} from './origin-proof.ts'
export {
  type Challenge,
  PROBLEM_TYPE,
  type Problem,
  type ProblemAnswer,
  problem,
  problemOf,
  problemOfFault,
} from './problem.ts'
export { type HttpRefused, type RequestReason, type RequestRefused, refuseRequest } from './refusals.ts'
export { isSafeMethod, type RequestFacts } from './request.ts'
