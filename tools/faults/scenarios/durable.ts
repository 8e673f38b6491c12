import { elsewhere, type Row, tests } from '../scenario.ts'

const durable = (file: string) => `packages/countersign/test/durable/${file}.test.ts`
const crash = (file: string) => `packages/countersign/test/crash/${file}.test.ts`

export const durableRows: readonly Row[] = [
  {
    id: 'D1',
    fault: 'a revocation is acknowledged as replicated by all, then: partition, the primary killed, a replica promoted',
    passes: 'never alive again; with fewer replicas: done again by the journal, and reported',
    proofs: [
      tests(
        durable('failover'),
        'D1: acknowledged as replicated by all, the primary cut off and killed, a replica promoted: never alive again',
      ),
      tests(
        durable('failover'),
        'D1: with one of two, and the other one promoted, the journal does it again and says so',
      ),
    ],
  },
  {
    id: 'D2',
    fault: 'the same, acknowledged as local',
    passes: 'done again at most 1 s after the new primary was seen; the answer had said local',
    proofs: [
      tests(durable('failover'), 'is done again within a second of seeing the new primary'),
      tests(
        durable('failover'),
        'and comes back to life when nothing is held: what the test above shows is the journal',
      ),
    ],
  },
  {
    id: 'D3',
    fault: 'kill -9 in a loop: of Redis with appendfsync always, of Postgres, of an SQLite writer',
    passes: 'every acknowledged revocation, rotation and update is there',
    proofs: [
      tests(crash('kill'), 'SQLite: a process that is killed loses nothing that it had acknowledged'),
      tests(crash('kill'), 'Redis: neither a process nor the Redis that is killed loses anything'),
      tests(crash('postgres'), 'a crash loses nothing that was acknowledged, also where synchronous_commit is off'),
    ],
  },
  {
    id: 'D4',
    fault: 'loss of power: what was not synced is gone',
    passes: 'as D3 for answers that said fsynced; others may be lost, never damaged',
    proofs: [
      tests(crash('power-loss'), 'nothing that was acknowledged is lost with the power'),
      tests(crash('power-loss'), 'synchronous=OFF loses what was acknowledged'),
      tests(crash('power-loss-redis'), 'with appendfsync always nothing that was acknowledged is lost'),
      tests(crash('power-loss-redis'), 'with appendfsync everysec some is lost, and no answer had said otherwise'),
      elsewhere('WAITAOF: synced on replicas as well', 'Redis 7.2 or Valkey'),
    ],
  },
  {
    id: 'D5',
    fault: 'maxmemory is reached, under every policy',
    passes: 'revoking works; no revoked token is good; a login fails and says why',
    proofs: [
      tests(durable('full-memory'), 'with the memory full every revocation works, and no revoked token is good'),
      tests(durable('full-memory'), 'D5: with nothing to evict a login fails, says why, and is no refusal'),
    ],
  },
  {
    id: 'D6',
    fault: 'NOREPLICAS, CLUSTERDOWN, LOADING, READONLY, a busy script',
    passes: 'a revocation is queued and refused here, never said to be done',
    proofs: [
      tests(
        durable('queue'),
        'a revocation is queued, refused here at once, never said to be done, and done when it goes again',
      ),
      tests(
        durable('waiting'),
        'a read that is executed before what waits goes through, and answered after it, does not show the old state',
      ),
      tests(
        durable('waiting'),
        'a session of a subject that waits to be ended is refused, whenever this process thinks that it was opened',
      ),
    ],
  },
]
