import { type Row, tests } from '../scenario.ts'

const faults = 'packages/countersign/test/stores/postgres-faults.test.ts'
const processes = 'packages/countersign/test/stores/sqlite/processes.test.ts'
const near = 'packages/countersign/test/stores/sqlite/near.test.ts'

export const sql: readonly Row[] = [
  {
    id: 'P1',
    fault: 'PostgreSQL fails over; every connection is lost',
    passes: 'an outage and no logout; a standby is never asked; a revocation is seen within the bound',
    proofs: [
      tests(faults, 'a standby is never asked: what it says may be from before a revocation'),
      tests(faults, 'is an outage and no logout, and comes back by itself'),
    ],
  },
  {
    id: 'Q1',
    fault: 'two processes on one SQLite file, and the write lock held for 10 s',
    passes:
      'waits until its deadline, then a typed fault, while other requests go on; what one ended is refused by the next check of the other',
    proofs: [
      tests(processes, 'Q1: while another process holds the write lock for 10 s, calls time out and requests go on'),
      tests(near, 'what either of two other processes ends is refused by the very next check'),
      tests(processes, 'four processes change one session: no acknowledged change is lost, nobody starves'),
    ],
  },
]
