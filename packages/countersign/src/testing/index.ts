/** **Only for tests.** Fixed clocks, sessions in memory, logins in one call. Refuses to work where `NODE_ENV` is `production`. */
export { createTestSessions, type TestSessions, type TestSessionsOptions } from './create-test-sessions.ts'
export { type TestClock, testClock } from './test-clock.ts'
