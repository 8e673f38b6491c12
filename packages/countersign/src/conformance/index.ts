export { type AdapterPart, type AdapterSuiteOptions, adapterSuite } from './adapter/adapter-suite.ts'
export type { AdapterSessions, Run, StartedApp } from './adapter/bench.ts'
export type { Runner, Skip } from './runner.ts'
export type { OpenedStore, Part } from './store/bench.ts'
/** Records, ids and rules with harmless values: what the cases are made of, for cases of your own. */
export * as samples from './store/samples.ts'
export { type StoreSuiteOptions, storeSuite } from './store/store-suite.ts'
export { type StrategySuiteOptions, strategySuite } from './strategy/strategy-suite.ts'
