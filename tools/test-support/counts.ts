/** True in `npm run test:long`. */
export const isLong = process.env.COUNTERSIGN_LONG === '1'

/** How often to repeat: `short` in `npm test`, which has to stay quick; `long` in `npm run test:long`. */
export function count(short: number, long: number): number {
  return isLong ? long : short
}
