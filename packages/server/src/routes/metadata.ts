import { Type } from 'typebox'
import { mayBeCached } from '../http/headers.ts'
import type { Kit } from '../http/kit.ts'
import type { App } from '../http/schemas.ts'

const CACHE_SECONDS = 300
const WELL_KNOWN = '/.well-known/oauth-authorization-server'

/** `GET /.well-known/oauth-authorization-server` (RFC 8414): what there is for programs, and where. */
export function metadata(app: App, kit: Kit): void {
  const { issuer, origins } = kit.settings
  const Texts = Type.Array(Type.String())
  const schema = {
    summary: 'What clients need to know of this server',
    response: {
      200: Type.Object({
        issuer: Type.String(),
        token_endpoint: Type.String(),
        introspection_endpoint: Type.String(),
        jwks_uri: Type.String(),
        response_types_supported: Texts,
        grant_types_supported: Texts,
        token_endpoint_auth_methods_supported: Texts,
        token_endpoint_auth_signing_alg_values_supported: Texts,
        introspection_endpoint_auth_methods_supported: Texts,
        introspection_endpoint_auth_signing_alg_values_supported: Texts,
      }),
    },
  }
  const methods = ['private_key_jwt']
  const algs = ['ES256', 'Ed25519']
  // Section 3.1: the path of the issuer goes behind the well-known part.
  const path = URL.canParse(issuer) ? new URL(issuer).pathname.replace(/\/$/, '') : ''
  const paths = [WELL_KNOWN, ...(/^(?:\/[\w.~-]+)+$/.test(path) ? [WELL_KNOWN + path] : [])]
  for (const [index, url] of paths.entries()) {
    app.get(url, { schema: index === 0 ? schema : { ...schema, hide: true } }, async (_request, reply) => {
      const base = origins()[0]
      mayBeCached(reply, CACHE_SECONDS)
      return reply.send({
        issuer,
        token_endpoint: `${base}/oauth/token`,
        introspection_endpoint: `${base}/oauth/introspect`,
        jwks_uri: `${base}/.well-known/jwks.json`,
        // Nobody is sent here to log in: there is no authorization endpoint.
        response_types_supported: [],
        grant_types_supported: ['client_credentials'],
        token_endpoint_auth_methods_supported: methods,
        token_endpoint_auth_signing_alg_values_supported: algs,
        introspection_endpoint_auth_methods_supported: methods,
        introspection_endpoint_auth_signing_alg_values_supported: algs,
      })
    })
  }
}
