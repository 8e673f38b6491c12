export {
  ASSERTION_TYPE,
  type ClientAuthenticated,
  type ClientAuthentication,
  type ClientAuthenticationOptions,
  type ClientCredentials,
  type ClientRefusalReason,
  createClientAuthentication,
} from './authenticate.ts'
export { type OAuthClient, readClient } from './client.ts'
export {
  createServiceTokens,
  type IssuedServiceToken,
  type IssueServiceToken,
  type ServiceTokenClaims,
  type ServiceTokens,
  type ServiceTokensOptions,
} from './service-tokens.ts'
export {
  createSessionAssertions,
  type SessionAssertions,
  type SessionAssertionsOptions,
} from './session-assertions.ts'
