// The fault matrix, row by row, as docs/design/0009-faults.md has it.
import type { Row } from './scenario.ts'
import { awayRows } from './scenarios/away.ts'
import { carts } from './scenarios/carts.ts'
import { clocks } from './scenarios/clocks.ts'
import { durableRows } from './scenarios/durable.ts'
import { loads } from './scenarios/loads.ts'
import { near } from './scenarios/near.ts'
import { outages } from './scenarios/outages.ts'
import { rotation } from './scenarios/rotation.ts'
import { simulated } from './scenarios/simulated.ts'
import { sql } from './scenarios/sql.ts'

export const rows: readonly Row[] = [
  ...near,
  ...clocks,
  ...durableRows,
  ...carts,
  ...rotation,
  ...outages,
  ...awayRows,
  ...sql,
  ...loads,
  ...simulated,
]
