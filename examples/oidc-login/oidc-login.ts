// Log in at an OpenID provider, and stay logged in with Countersign: npx tsx examples/oidc-login/oidc-login.ts
// Starts a provider of its own on PORT + 1, where any name and password are good; with ISSUER, CLIENT_ID and CLIENT_SECRET it
// uses that one. The provider says who somebody is; the session is ours, and so is its end.
import { countersign } from 'countersign/express'
import express from 'express'
import * as oidc from 'openid-client'
import { homePage, listening, origins, port, sessions } from '../adapters/setup.ts'
import { startProvider } from './provider.ts'

const callback = `${origins[0]}/callback`
const { ISSUER, CLIENT_ID = 'example', CLIENT_SECRET = 'a secret that only this example knows' } = process.env
const issuer = ISSUER ?? (await startProvider(port + 1, { id: CLIENT_ID, secret: CLIENT_SECRET, callback }))
const local = issuer.startsWith('http://localhost:')
const provider = await oidc.discovery(new URL(issuer), CLIENT_ID, CLIENT_SECRET, undefined, {
  execute: local ? [oidc.allowInsecureRequests] : [],
})

const auth = countersign({ sessions, origins, loginPage: '/login' })
const app = express()
app.use(auth)
app.get('/', auth.guard(), (request, response) => {
  response.send(homePage(request.auth.session?.subject ?? ''))
})

/** What a login that is under way has to know again. In a cookie of the browser that began it: nobody else can end it. */
const FLOW = '__Host-oidc'
app.get('/login', async (_request, response) => {
  const [state, nonce, verifier] = [oidc.randomState(), oidc.randomNonce(), oidc.randomPKCECodeVerifier()]
  const url = oidc.buildAuthorizationUrl(provider, {
    redirect_uri: callback,
    scope: 'openid',
    state,
    nonce,
    code_challenge: await oidc.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
  })
  // `Lax`, because the provider leads back from another site.
  response.cookie(FLOW, [state, nonce, verifier].join('.'), {
    secure: true,
    httpOnly: true,
    sameSite: 'lax',
    maxAge: 600_000,
  })
  response.redirect(303, url.href)
})

app.get('/callback', async (request, response) => {
  const flow = new RegExp(`(?:^|; )${FLOW}=([^;]+)`).exec(request.headers.cookie ?? '')?.[1]
  const [expectedState = '', expectedNonce = '', pkceCodeVerifier = ''] = flow?.split('.') ?? []
  response.clearCookie(FLOW, { secure: true, httpOnly: true, sameSite: 'lax' })
  const url = new URL(request.originalUrl, origins[0])
  if (flow === undefined) return void response.status(400).send('This login was not begun here.')
  const tokens = await oidc.authorizationCodeGrant(provider, url, { expectedState, expectedNonce, pkceCodeVerifier })
  const { iss, sub, auth_time } = tokens.claims()!
  await auth.signIn(
    request,
    response,
    {
      // The pair: the same `sub` of another provider is somebody else.
      subject: `${iss}#${sub}`,
      roles: ['user'],
      ...(typeof auth_time === 'number' && { authTimeMs: auth_time * 1_000 }),
    },
    '/',
  )
})
app.use(auth.errors)

app.listen(port, listening)
