import { deadlineMs } from '../../session/record.ts'
import type { ListRule, Page, SubjectGate } from '../contract.ts'
import { gateOf, isLive, type Shard } from './shard.ts'

/** `SessionStore.list`. The cursor is the place of the last item: `<createdAtMs>.<id>`. */
export function list(shard: Shard, after: string | null, rule: ListRule, nowMs: number): Page {
  const items = shard
    .records()
    .filter((record) => isLive(record, nowMs, rule.floorMs))
    .map((record) => ({ record, place: placeOf(record) }))
    .filter(({ place }) => after === null || place > after)
    .sort((a, b) => (a.place < b.place ? -1 : 1))
  const page = items.slice(0, rule.limit)
  return { items: page.map(({ record }) => record), next: items.length > page.length ? page.at(-1)!.place : null }
}

/** Sorts as text in the order of creation. */
export function placeOf(record: { readonly createdAtMs: number; readonly id: string }): string {
  return `${String(record.createdAtMs).padStart(15, '0')}.${record.id}`
}

/** `SessionStore.subject`. */
export function subjectGate(shard: Shard, nowMs: number): SubjectGate {
  const { epoch, blocked } = gateOf(shard)
  return { epoch, blocked, live: shard.records().filter((record) => deadlineMs(record) > nowMs).length }
}
