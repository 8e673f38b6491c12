// Plots as plain SVG: a strip for each row. No library: two shapes, an axis and a line need none.
import type { Measured } from '../harness/result.ts'
import type { Row } from '../rows.ts'
import { number, verdict } from './words.ts'

const WIDTH = 880
const LEFT = 250
const RIGHT = 30
const STRIP = 44
const AXIS = 34

export interface Plotted {
  readonly row: Row
  readonly measured: Measured
}

/** Text for the inside of an element or an attribute. */
export const safe = (text: string): string => text.replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`)

/**
 * The ratios of a group on one axis, which is logarithmic: twice as fast is as far from 1 as half as fast. A dot is a
 * round, the box the 95 % interval of the median, the line in it the median, the dashed line the bar.
 */
export function ratioPlot(plotted: readonly Plotted[]): string {
  const values = plotted.flatMap(({ row, measured }) => [...measured.ratios, ...barOf(row), measured.result.ratio!, 1])
  const [least, most] = [Math.min(...values) * 0.9, Math.max(...values) * 1.1]
  const x = (value: number) =>
    LEFT + ((Math.log(value) - Math.log(least)) / (Math.log(most) - Math.log(least))) * (WIDTH - LEFT - RIGHT)
  const strips = plotted.map(({ row, measured }, at) => {
    const { low, high, ratio } = measured.result
    const middle = STRIP * at + STRIP / 2
    const dots = measured.ratios.map(
      (value, round) =>
        `<circle class="round" cx="${fixed(x(value))}" cy="${middle + ((round % 5) - 2) * 4}" r="2.5"><title>round ${round + 1}: ${value.toFixed(3)}</title></circle>`,
    )
    const box = `<rect class="interval ${verdict(row, measured.result)}" x="${fixed(x(low!))}" y="${middle - 11}" width="${fixed(Math.max(2, x(high!) - x(low!)))}" height="22"/>`
    const line = `<line class="median" x1="${fixed(x(ratio!))}" x2="${fixed(x(ratio!))}" y1="${middle - 13}" y2="${middle + 13}"/>`
    return strip(row, middle, [...barLine(row, middle, x), box, ...dots, line])
  })
  const ticks = logTicks(least, most)
  return svg(
    `Ratios of ${idsOf(plotted)}`,
    plotted.length,
    strips,
    ticks.map((tick) => [x(tick), number(tick)]),
    x(1),
  )
}

const idsOf = (plotted: readonly Plotted[]) => plotted.map(({ row }) => row.id).join(', ')

/** Figures of one unit from zero on, with their bars. */
export function barPlot(plotted: readonly Plotted[]): string {
  const most = 1.15 * Math.max(...plotted.flatMap(({ row, measured }) => [measured.result.ours, ...barOf(row)]), 1e-9)
  const x = (value: number) => LEFT + (value / most) * (WIDTH - LEFT - RIGHT)
  const strips = plotted.map(({ row, measured }, at) => {
    const middle = STRIP * at + STRIP / 2
    const { ours } = measured.result
    const box = `<rect class="interval ${verdict(row, measured.result)}" x="${LEFT}" y="${middle - 9}" width="${fixed(Math.max(1, x(ours) - LEFT))}" height="18"/>`
    const text = `<text x="${fixed(x(ours) + 6)}" y="${middle + 4}">${safe(`${number(ours)} ${row.unit}`)}</text>`
    return strip(row, middle, [box, text, ...barLine(row, middle, x)])
  })
  return svg(
    `Figures of ${idsOf(plotted)}`,
    plotted.length,
    strips,
    [0, most / 4, most / 2, (3 * most) / 4].map((tick) => [x(tick), number(tick)]),
  )
}

function strip(row: Row, middle: number, shapes: readonly string[]): string {
  const [first, second] = row.rival ? [row.id, `against ${row.rival}`] : [row.id, '']
  return `<text class="label" x="${LEFT - 12}" y="${second ? middle - 2 : middle + 4}">${safe(first)}</text><text class="label rival" x="${LEFT - 12}" y="${middle + 13}">${safe(second)}</text>${shapes.join('')}`
}

function barLine(row: Row, middle: number, x: (value: number) => number): string[] {
  return barOf(row).map(
    (bar) =>
      `<line class="bar" x1="${fixed(x(bar))}" x2="${fixed(x(bar))}" y1="${middle - 18}" y2="${middle + 18}"><title>bar: ${'atMost' in row.bar! ? 'at most' : 'at least'} ${bar}</title></line>`,
  )
}

const barOf = ({ bar }: Row): number[] => (bar === undefined ? [] : ['atMost' in bar ? bar.atMost : bar.atLeast])

/** @param about - What is seen, for who does not see it: the table below has the figures. */
function svg(
  about: string,
  rows: number,
  strips: readonly string[],
  ticks: readonly (readonly [number, string])[],
  one?: number,
) {
  const height = rows * STRIP
  const equal =
    one === undefined ? '' : `<line class="equal" x1="${fixed(one)}" x2="${fixed(one)}" y1="0" y2="${height}"/>`
  const axis = ticks.map(
    ([at, text]) =>
      `<line class="tick" x1="${fixed(at)}" x2="${fixed(at)}" y1="0" y2="${height + 5}"/><text class="scale" x="${fixed(at)}" y="${height + 20}">${text}</text>`,
  )
  return `<svg viewBox="0 0 ${WIDTH} ${height + AXIS}" role="img" aria-label="${safe(about)}">${axis.join('')}${equal}${strips.join('')}</svg>`
}

/** 1, 2, 5 and their tens between two values. */
function logTicks(least: number, most: number): number[] {
  const ticks: number[] = []
  for (let power = Math.floor(Math.log10(least)); power <= Math.log10(most); power++) {
    for (const step of most / least < 4 ? [1, 1.5, 2, 3, 4, 5, 6, 7, 8, 9] : [1, 2, 5]) {
      const tick = step * 10 ** power
      if (tick >= least && tick <= most) ticks.push(tick)
    }
  }
  return ticks
}

const fixed = (value: number): string => value.toFixed(1)
