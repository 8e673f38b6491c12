// `jsonwebtoken`, and the id of each token in Redis: it must exist. A logout deletes it. There is no list of a user's
// tokens, so nothing else can.
import { serve, told } from '../serve.ts'
import { routesWith } from './jsonwebtoken.ts'
import { calls, client, count } from './redis.ts'

const keyOf = (jti: string | undefined) => `${told.prefix}:session:${jti}`

await serve(
  routesWith(
    {
      keep: (_token, { jti, sub }) => client.set(keyOf(jti), sub!, { EX: told.accessSeconds }),
      isKept: async (_token, { jti }) => (await count('EXISTS', client.exists(keyOf(jti)))) === 1,
      forget: (_token, { jti }) => client.del(keyOf(jti)),
    },
    calls,
  ),
)
