// The fault matrix, row by row, as docs/design/0009-faults.md has it.
import type { Row } from './scenario.ts'
import { loads } from './scenarios/loads.ts'
import { near } from './scenarios/near.ts'
import { simulated } from './scenarios/simulated.ts'

export const rows: readonly Row[] = [...near, ...loads, ...simulated]
