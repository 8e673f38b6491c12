// The shop itself: the page, logging in, and what has to be right at once.
import { passwordLogin } from 'countersign/fastify'
import { CATALOGUE } from '../catalogue.ts'
import { DEVICE_LIMIT, type Stack } from '../stack.ts'
import { audiencesOf } from '../strategy.ts'
import { addAccount } from './account.ts'
import { createApp } from './app.ts'
import { addCheckout, type Freshness } from './checkout.ts'
import { serveFiles } from './files.ts'
import { forward } from './forward.ts'
import { addLive } from './live.ts'
import { addMail } from './mail.ts'

export interface ShopOptions {
  readonly stack: Stack
  /** As browsers see it. */
  readonly origin: string
  /** Where the other two services are. */
  readonly cart: string
  readonly office: string
  /** Folder of the built page. Without it there is only the API. */
  readonly page?: string | undefined
  /** How long a proof of the password is good for a checkout. */
  readonly freshFor: Freshness
}

export async function createShopService({ stack, origin, cart, office, page, freshFor }: ShopOptions) {
  const { sessions, accounts, keyring, strategy } = stack
  const password = passwordLogin(accounts)
  const { app, auth } = await createApp({
    sessions,
    origins: [origin],
    ...password,
    async authenticate(attempt) {
      const proof = await password.authenticate(attempt)
      // Where the session may go, and that a failover must not undo the login: the answer says whether a replica has it.
      return proof.ok ? { ...proof, audience: audiencesOf(proof.roles), durable: 'replicated' as const } : proof
    },
  })
  app.get('/.well-known/jwks.json', async (_request, reply) => {
    reply.header('cache-control', 'public, max-age=300')
    return keyring.jwks()
  })
  app.get('/api/shop', async () => ({ strategy, catalogue: CATALOGUE, deviceLimit: DEVICE_LIMIT, freshFor }))
  addAccount(app, auth, stack)
  addCheckout(app, auth, stack, freshFor)
  addMail(app, stack, origin)
  await addLive(app, stack, origin)
  await forward(app, '/cart', cart)
  await forward(app, '/office', office)
  if (page !== undefined) serveFiles(app, page)
  return app
}
