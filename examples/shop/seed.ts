import type { Stack } from './stack.ts'

/** Who can log in to the demo. */
export const DEMO_ACCOUNTS = [
  { identifier: 'ada@example.com', password: 'violet kettle orbits slowly', roles: ['customer'] },
  { identifier: 'lin@example.com', password: 'quiet lantern counts seven', roles: ['customer'] },
  { identifier: 'office@example.com', password: 'amber harbour keeps ledgers', roles: ['staff'] },
] as const

/** Adds them, a cart that was left, and an order. Does nothing where they are already. */
export async function seed({ accounts, carts, orders }: Stack): Promise<void> {
  for (const { identifier, password, roles } of DEMO_ACCOUNTS) {
    const added = await accounts.register({ identifier, password, roles: [...roles] })
    if (!added.ok || roles[0] !== 'customer') continue
    const { subject } = added.account
    await carts.change(subject, 'tea', 1, 'seed-first-article')
    await orders.place(subject, `seed-order-${subject.slice(0, 8)}`, Date.now() - 86_400_000)
    await carts.change(subject, 'mug', 2, 'seed-second-article')
    await carts.change(subject, 'compass', 1, 'seed-third-article')
  }
}
