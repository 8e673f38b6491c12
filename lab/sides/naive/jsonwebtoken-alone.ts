// `jsonwebtoken` and nothing else.
import { serve } from '../serve.ts'
import { routesWith } from './jsonwebtoken.ts'

await serve(routesWith({}))
