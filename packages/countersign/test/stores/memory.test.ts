import { storeSuite } from 'countersign/conformance'
import { memoryStore } from 'countersign/stores/memory'
import * as runner from 'vitest'
import { count } from '../../../../tools/test-support/counts.ts'

storeSuite({
  runner,
  name: 'memory',
  rounds: count(50, 1_000),
  async open() {
    const store = memoryStore()
    return { store, dispose: () => store.lifecycle.close() }
  },
  skip: [
    {
      reason: 'it ends with its process',
      tests: [
        'reopening finds everything',
        'reopening finds one-time tokens and claims, and what was taken stays taken',
      ],
    },
  ],
})
