/**
 * Test files that `npm test` leaves out because all of it has to stay below a quarter of an hour on two cores; `npm run test:long`
 * has them, and `npm test -- <words>` whichever is named. Beside each is what of it stays.
 */
export const LONG_FILES: Readonly<Record<string, string>> = {
  'packages/countersign/test/fleet/mixed.test.ts': 'two releases on one store under load, on every store',
  'packages/countersign/test/fleet/rotation.test.ts':
    'keys of a fleet are rotated under load; the commands before live sessions stay in the short form (cli-care)',
  'packages/countersign/test/races/postgres.test.ts': 'SQLite and Redis stay in the short form',
  'packages/countersign/test/races/redis-cluster.test.ts':
    'the same scripts as on one Redis, which stay in the short form',
  'packages/server/test/crash/kill.test.ts': 'kill -9 of the service; the library alone stays in the short form',
  'packages/server/test/fleet/rotation.test.ts': 'the same through the service',
  'packages/server/test/crash/power-loss.test.ts':
    'power loss under the service; the library alone stays in the short form',
  'examples/shop/test/strategies.test.ts': 'the shop with the other strategies',
  'examples/microblog/test/strategies.test.ts': 'the microblog with the other strategies',
  'examples/microblog/test/time.test.ts': 'the microblog until its sessions expire',
  'examples/microblog/test/look.test.ts': 'pictures and axe of every page in two languages',
}
