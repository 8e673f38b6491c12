// The nodes of a fleet as a test sees them: processes that are started, taken out of service and replaced while the others work.
import { fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { Answer, Calls, NodeSetup } from './node.ts'

export interface FleetNode {
  ask<Call extends keyof Calls>(call: Call, args: Calls[Call][0]): Promise<Answer<Call>>
  /** Waits for the calls under way, closes and ends the process. */
  stop(): Promise<void>
}

export async function startNode(setup: NodeSetup): Promise<FleetNode> {
  const child = fork(fileURLToPath(new URL('./node.ts', import.meta.url)), {
    execArgv: ['--import', 'tsx'],
    env: { ...process.env, FLEET_NODE: JSON.stringify(setup) },
  })
  const ended = new Promise<number | null>((resolve) => child.once('exit', resolve))
  const waiting = new Map<number, (result: never) => void>()
  child.on('message', ({ id, result }: { id: number; result: never }) => {
    waiting.get(id)?.(result)
    waiting.delete(id)
  })
  void ended.then((code) => {
    // A process that ends with calls under way has failed each of them.
    for (const resolve of waiting.values()) resolve({ fault: 'ended', message: `the node ended with ${code}` } as never)
    waiting.clear()
  })
  await new Promise<void>((resolve, reject) => {
    child.once('message', () => resolve())
    child.once('error', reject)
    void ended.then((code) => reject(new Error(`a node ended with ${code} before it was ready`)))
  })
  let count = 0
  const ask: FleetNode['ask'] = (call, args) =>
    new Promise((resolve) => {
      if (!child.connected) return resolve({ fault: 'ended', message: 'the node has ended' })
      const id = ++count
      waiting.set(id, resolve as never)
      child.send({ id, call, args })
    })
  return {
    ask,
    async stop() {
      if (child.exitCode !== null) return
      while (waiting.size > 0) await new Promise((resolve) => setTimeout(resolve, 5))
      await ask('close', undefined)
      child.disconnect()
      await ended
    },
  }
}

/** Several nodes, of which some are in service. */
export class Fleet {
  readonly #nodes: FleetNode[] = []

  static async of(setups: readonly NodeSetup[]): Promise<Fleet> {
    const fleet = new Fleet()
    fleet.#nodes.push(...(await Promise.all(setups.map(startNode))))
    return fleet
  }

  get size(): number {
    return this.#nodes.length
  }
  node(index: number): FleetNode {
    return this.#nodes[index]!
  }
  /** As a load balancer chooses. */
  any(): FleetNode {
    return this.#nodes[Math.floor(Math.random() * this.#nodes.length)]!
  }
  /** A new node takes the place of one, which then finishes what it has begun: no moment without it. */
  async replace(index: number, setup: NodeSetup): Promise<void> {
    const next = await startNode(setup)
    const [old] = this.#nodes.splice(index, 1, next)
    await old!.stop()
  }
  async stop(): Promise<void> {
    await Promise.all(this.#nodes.map((node) => node.stop()))
  }
}
