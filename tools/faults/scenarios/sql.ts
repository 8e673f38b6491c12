import { type Row, tests } from '../scenario.ts'

const faults = 'packages/countersign/test/stores/postgres-faults.test.ts'
const processes = 'packages/countersign/test/stores/sqlite/processes.test.ts'
const near = 'packages/countersign/test/stores/sqlite/near.test.ts'
const polled = 'packages/countersign/test/stores/postgres-near.test.ts'
const cut = 'packages/countersign/test/stores/postgres-near-outages.test.ts'

export const sql: readonly Row[] = [
  {
    id: 'P1',
    fault: 'PostgreSQL fails over; every connection is lost',
    passes:
      'an outage and no logout; a standby is never asked; a revocation is seen within the bound; copies are void when a connection broke',
    proofs: [
      tests(faults, 'a standby is never asked: what it says may be from before a revocation'),
      tests(faults, 'is an outage and no logout, and comes back by itself'),
      tests(cut, 'P1: after a restart nothing is served that was read before it, until it is read again'),
      tests(cut, 'P1: every connection is cut, again and again, and a revocation still acts within the bound'),
      tests(cut, 'P1: nothing is served for longer than a second by a server that is silent'),
      tests(polled, 'one that began before many others and commits after them is told when it commits'),
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
