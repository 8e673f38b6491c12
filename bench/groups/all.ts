import type { Measure } from '../harness/rounds.ts'
import { bytes } from './bytes.ts'
import { commands } from './commands.ts'
import { forwardAuth } from './forward-auth.ts'
import { heap } from './heap.ts'
import { http } from './http.ts'
import { propagation } from './propagation.ts'
import { scale } from './scale.ts'
import { verifyHit } from './verify-hit.ts'

/** How each group of `rows.ts` is measured, by its id. */
export const MEASURES: Readonly<Record<string, Measure>> = {
  'verify-hit': verifyHit,
  'http-hit': http('this', 2),
  'http-direct': http('this', 2),
  'http-better-auth': http('this', 5),
  'http-middleware': http('24', 5),
  'express-hit': http('24', 2),
  commands,
  propagation,
  bytes,
  scale,
  heap,
  'forward-auth': forwardAuth,
}
