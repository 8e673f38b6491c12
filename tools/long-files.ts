/**
 * Test files that `npm test` leaves out because all of it has to stay below a quarter of an hour on two cores; `npm run test:long`
 * has them, and `npm test -- <words>` whichever is named. Beside each is what of it stays in `npm test`.
 */
export const LONG_FILES: Readonly<Record<string, string>> = {
  'packages/countersign/test/fleet/mixed.test.ts':
    'each store keeps what a newer release added, and reads what 0.1 wrote (conformance, golden); no two releases at once',
  'packages/countersign/test/fleet/rotation.test.ts':
    'a keyring taken up by a running process (reload-keyring), and the commands before live sessions (cli-care); no load',
  'packages/countersign/test/races/redis-cluster.test.ts': 'the same scripts on one Redis',
  'packages/server/test/crash/kill.test.ts': 'kill -9 of the library and of its Redis; none of the service',
  'packages/server/test/fleet/rotation.test.ts':
    'the commands before a server with live sessions (cli-care); no load, and no second server',
  'packages/server/test/crash/power-loss.test.ts': 'loss of power under the library; none under the service',
  'examples/shop/test/strategies.test.ts': 'the shop with allowlist, its page with opaque, its start with denylist',
  'examples/microblog/test/strategies.test.ts': 'the microblog with allowlist',
  'examples/microblog/test/time.test.ts':
    'renewals and outages of the browser client (packages/server/test/client); nothing of the microblog runs out',
  'examples/microblog/test/look.test.ts': 'axe on the pages of the shop; nothing of how the microblog looks',
}
