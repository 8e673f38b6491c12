// `jsonwebtoken`, and the token in Redis under a fixed key, as in the article whose author has one user: everybody's.
import { serve, told } from '../serve.ts'
import { routesWith } from './jsonwebtoken.ts'
import { calls, client, count } from './redis.ts'

const KEY = `${told.prefix}:token`

await serve(
  routesWith(
    {
      keep: (token) => client.set(KEY, token, { EX: told.accessSeconds }),
      isKept: async (token) => (await count('GET', client.get(KEY))) === token,
      forget: () => client.del(KEY),
    },
    calls,
  ),
)
