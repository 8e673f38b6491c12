// `npm run bench:near`: what a check costs that the near cache answers. Rounds are interleaved; compared are ratios within
// a round, and of these the median.
//   --rounds 41            at least 5
//   --redis URL            on that server; default the memory store
//   --json
// Ends with 1 when a ratio is above its limit.
import { parseArgs } from 'node:util'
import { memoryStore } from 'countersign/stores/memory'
import { redisStore } from 'countersign/stores/redis'
import { openNearCases } from './cases.ts'

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '41' },
    redis: { type: 'string' },
    json: { type: 'boolean', default: false },
  },
})
const rounds = Number(values.rounds)
if (!(rounds >= 5)) throw new Error('at least 5 rounds')

const store =
  values.redis === undefined ? memoryStore() : redisStore({ url: values.redis, prefix: `bench${Date.now()}` })
const { cases, close } = await openNearCases(store)
const results = cases.map(({ name, limit }) => ({ name, limit, ours: [] as number[], other: [] as number[] }))
for (let round = -3; round < rounds; round++) {
  for (const [index, { ours, other }] of cases.entries()) {
    // Which goes first turns, so that neither always finds the other's tokens in the processor's cache.
    const first = round % 2 === 0 ? await ours() : await other()
    const second = round % 2 === 0 ? await other() : await ours()
    if (round < 0) continue
    results[index]!.ours.push(round % 2 === 0 ? first : second)
    results[index]!.other.push(round % 2 === 0 ? second : first)
  }
}
await close()

const median = (values: readonly number[]) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)]!
const rows = results.map(({ name, limit, ours, other }) => ({
  name,
  limit,
  ratio: median(ours.map((time, round) => time / other[round]!)),
  oursNs: median(ours),
  otherNs: median(other),
}))
if (values.json) console.log(JSON.stringify({ node: process.version, store: store.lifecycle.name, rounds, rows }))
else {
  console.log(`Node ${process.version}, ${store.lifecycle.name}, ${rounds} rounds, medians\n`)
  console.log('| Case | ours, ns | other, ns | ratio | at most |\n| --- | --- | --- | --- | --- |')
  for (const { name, limit, ratio, oursNs, otherNs } of rows)
    console.log(`| ${name} | ${oursNs.toFixed(0)} | ${otherNs.toFixed(0)} | ${ratio.toFixed(2)} | ${limit} |`)
}
process.exitCode = rows.every(({ ratio, limit }) => ratio <= limit) ? 0 : 1
