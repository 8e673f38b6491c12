// `npx tsx examples/forward-auth/try-it.ts [nginx|haproxy|caddy]`: the service, two upstreams that say what they were sent,
// and a proxy with its sample in front of them, until Ctrl-C. Everything is gone then.
import { PASSWORD, startStack } from './stack.ts'

const kind = process.argv[2] ?? 'nginx'
if (kind !== 'nginx' && kind !== 'haproxy' && kind !== 'caddy') throw new Error('which: nginx, haproxy or caddy')
const stack = await startStack(kind)
console.log(`${kind} listens on ${stack.url}: try /shop/ and /admin/
log in as alice@example.com (role user) or root@example.com (role admin), password: ${PASSWORD}`)
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void stack.close())
