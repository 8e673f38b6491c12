/**
 * Test files that `npm test` leaves out because all of it has to stay below a quarter of an hour on two cores; `npm run test:long`
 * has them, and `npm test -- <words>` whichever is named. What each shows is shown in `npm test` too, on less.
 */
export const LONG_FILES: Readonly<Record<string, string>> = {}
