import { memoryStore } from 'countersign/stores/memory'
import { accountsSuite } from './suite.ts'

accountsSuite('memory', async () => ({ open: async () => memoryStore(), stop: async () => {} }))
