import { memoryStore } from 'countersign/stores/memory'
import { strategySuite } from './suite.ts'

strategySuite(
  'memory',
  async () => {
    const store = memoryStore()
    // Every `open` is the same memory, as it is the same file or server for the others: closing waits for the end.
    const shared = { ...store, lifecycle: { ...store.lifecycle, close: async () => {} } }
    return { open: async () => shared, stop: () => store.lifecycle.close() }
  },
  'tells',
)
