// For a store of your own on anything that can run a step alone: `docs/write-your-own-store.md`.
export { keepUntilMs } from '../../session/record.ts'
export { EPOCH_KEEP_MS, type Gate, type Kept, type RevocationState, type Shard } from './shard.ts'
export { type Section, stepStore } from './step-store.ts'
