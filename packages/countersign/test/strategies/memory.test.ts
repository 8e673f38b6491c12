import { strategySuite } from 'countersign/conformance'
import { memoryStore } from 'countersign/stores/memory'
import * as runner from 'vitest'

strategySuite({
  runner,
  name: 'memory',
  async open() {
    const store = memoryStore()
    return { store, dispose: () => store.lifecycle.close() }
  },
})
