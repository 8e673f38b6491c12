// `jsonwebtoken`, and a list of the tokens that were logged out in Redis, each until its `exp`.
import { serve, told } from '../serve.ts'
import { routesWith } from './jsonwebtoken.ts'
import { calls, client, count } from './redis.ts'

const keyOf = (token: string) => `${told.prefix}:blacklist:${token}`

await serve(
  routesWith(
    {
      isKept: async (token) => (await count('GET', client.get(keyOf(token)))) === null,
      forget: (token, { exp }) => client.set(keyOf(token), '1', { EXAT: exp! }),
    },
    calls,
  ),
)
