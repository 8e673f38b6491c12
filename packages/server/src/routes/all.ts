import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import type { FastifyInstance } from 'fastify'
import type { Kit } from '../http/kit.ts'
import type { App } from '../http/schemas.ts'
import { health } from './health.ts'
import { jwks } from './jwks.ts'
import { login } from './login.ts'
import { logout } from './logout.ts'
import { metadata } from './metadata.ts'
import { oauth } from './oauth.ts'
import { page } from './page.ts'
import { password } from './password.ts'
import { recover } from './recover.ts'
import { refresh } from './refresh.ts'
import { register } from './register.ts'
import { sessions } from './sessions.ts'
import { verify } from './verify.ts'

/** Every route there is. */
export async function routes(scope: FastifyInstance, kit: Kit): Promise<void> {
  const app: App = scope.withTypeProvider<TypeBoxTypeProvider>()
  for (const group of [register, login, refresh, logout, password, recover, sessions, jwks, metadata, health])
    group(app, kit)
  // Of their own: forms instead of JSON, and the errors of OAuth.
  await app.register(async (below) => oauth(below.withTypeProvider<TypeBoxTypeProvider>(), kit))
  // Of its own: it takes any body, and reads none.
  await app.register(async (below) => verify(below.withTypeProvider<TypeBoxTypeProvider>(), kit))
  await page(app)
}
