// The back office: staff only, with tokens of its audience, checked by the record, so that who was thrown out is out.

import { tellChange } from '../data/changes.ts'
import type { ShopCluster } from '../data/cluster.ts'
import { createOrders } from '../data/orders.ts'
import { createApp } from './app.ts'
import type { Checking } from './verifier.ts'

export interface OfficeOptions {
  readonly checking: Checking
  readonly data: ShopCluster
  readonly origin: string
  readonly audience: string
}

export async function createOfficeService({ checking, data, origin, audience }: OfficeOptions) {
  const { app, auth } = await createApp({ sessions: checking.verifier, origins: [origin] })
  const orders = createOrders(data)
  const staff = auth.guard({ audience, roles: ['staff'] })

  app.get('/office/orders', { onRequest: staff }, async () => ({ orders: await orders.all() }))
  app.post<{ Params: { id: string } }>('/office/orders/:id/sent', { onRequest: staff }, async ({ params }) => {
    await orders.send(params.id)
    const order = (await orders.all()).find(({ id }) => id === params.id)
    if (order) await tellChange(data, order.subject, 'orders')
    return { sent: order !== undefined }
  })
  app.addHook('onClose', () => checking.close())
  return app
}
