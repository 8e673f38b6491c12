export { FAULT_ANSWERS, type FaultAnswer, REFUSAL_ANSWERS, type RefusalAnswer, TITLES } from './answers.ts'
export { readBearer } from './bearer.ts'
export { BOUNCE_HEADERS, BOUNCE_SCRIPT, bounceDocument } from './bounce.ts'
export { clientAddress, type ProxyList, resolveProxies } from './client-address.ts'
export {
  COOKIE_NAMES,
  type CookieNames,
  type CookieOptions,
  type CookieRules,
  resolveCookieNames,
  resolveCookies,
} from './cookie-options.ts'
export { allCookies, carriesCookies, type OurCookies, readCookies } from './cookies.ts'
export { type Credential, type Credentials, findCredentials } from './credentials.ts'
export { type HandedOut, type Handing, handOut } from './deliver.ts'
export { FORM_FIELD, FORM_HEADER } from './form-token.ts'
export { isEmbeddedElsewhere, isNavigation } from './navigation.ts'
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
export { returnPath } from './return-path.ts'
export { ANSWER_HEADERS, API_POLICY, CLEAR_SITE_DATA } from './security-headers.ts'
export { sessionsBehind, sessionsToEnd } from './sessions-behind.ts'
export {
  type CookieUse,
  expireCookie,
  expireEveryCookie,
  MAX_COOKIE_AGE_SECONDS,
  MAX_COOKIE_BYTES,
  setCookie,
} from './set-cookie.ts'
