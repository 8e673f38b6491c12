// One deployment with every strategy, on the same keys and for the same audience: only the kind of a token, and the
// issuer that tells the strategies apart, can keep a token out of a place that is not its own.
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import {
  allowlist,
  createRemoteVerifier,
  createSessions,
  createVerifier,
  denylist,
  generateKeyring,
  loadKeyring,
  opaque,
  stateless,
} from 'countersign'
import { createClientAuthentication, createServiceTokens, createSessionAssertions } from 'countersign/oauth'
import { createOneTime } from 'countersign/one-time'
import { memoryStore } from 'countersign/stores/memory'
import { keysOf, loadKeyring as loadPrivately } from '../../src/tokens/keyring.ts'
import type { Keys } from '../../src/tokens/keys.ts'
import { type IntrospectionServer, introspectionServer } from '../verifier/introspection-server.ts'

export const AUDIENCE = 'https://api.test'
/** Of every token: a person in one place, a program in the other. */
export const SUBJECT = 'user:1'
export const issuerOf = (name: string) => `https://${name}.auth.test`

export type Deployment = Awaited<ReturnType<typeof deploy>>

export async function deploy() {
  const file = generateKeyring({ signing: ['ES256'], sealing: true })
  const keyring = await loadKeyring(file)
  const keys: Keys = keysOf(await loadPrivately(file))
  const jwt = (name: string) => ({ issuer: issuerOf(name), audience: AUDIENCE, alg: 'ES256' }) as const
  const store = memoryStore()
  const common = { keyring, timeouts: 'aal1' } as const
  const sessions = {
    opaque: createSessions({ ...common, strategy: opaque({ audience: AUDIENCE }), store: memoryStore() }),
    stateless: createSessions({ ...common, strategy: stateless(jwt('stateless')), store: memoryStore() }),
    denylist: createSessions({ ...common, strategy: denylist(jwt('denylist')), store: memoryStore() }),
    allowlist: createSessions({ ...common, strategy: allowlist(jwt('allowlist')), store }),
    sealed: createSessions({
      ...common,
      strategy: allowlist({ ...jwt('sealed'), sealed: true }),
      store: memoryStore(),
    }),
  }
  const jwks = createServer((_, response) => response.end(JSON.stringify(keyring.jwks())))
  await new Promise<void>((resolve) => jwks.listen(0, '127.0.0.1', resolve))
  const address = new URL(`http://127.0.0.1:${(jwks.address() as AddressInfo).port}/jwks`)
  const client = await loadKeyring(generateKeyring({ signing: ['ES256'] }))
  const clients = { shop: client }
  const service: IntrospectionServer = await introspectionServer(
    sessions.allowlist,
    issuerOf('allowlist'),
    clients,
    Date.now,
  )

  const oneTime = createOneTime({ store, keyring })
  const serviceTokens = createServiceTokens({ keyring, issuer: issuerOf('allowlist'), store })
  const assertions = createSessionAssertions({ keyring, issuer: issuerOf('allowlist'), store })
  // As if the client's key were our own: then only the kind of an assertion can tell it from our tokens.
  const clientKeys = [{ id: SUBJECT, publicKeys: keyring.jwks().keys }]
  const authentication = createClientAuthentication({ issuer: issuerOf('allowlist'), clients: clientKeys, store })

  const trust = { issuer: issuerOf('allowlist'), audience: AUDIENCE }
  const verifiers = {
    keyring: createVerifier({ ...trust, keys: keyring }),
    jwks: createVerifier({ ...trust, keys: address }),
    records: createVerifier({ ...trust, keys: keyring, records: store }),
    sealed: createVerifier({ ...trust, issuer: issuerOf('sealed'), keys: keyring, sealed: true }),
    remote: createRemoteVerifier({ ...trust, introspection: service.url, clientId: 'shop', key: client }),
  }
  const stop = () => {
    service.stop()
    jwks.closeAllConnections()
    jwks.close()
  }
  return { keys, sessions, verifiers, oneTime, serviceTokens, assertions, authentication, stop }
}
