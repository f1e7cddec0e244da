/**
 * Small plots as SVG, one beside the other, over a logarithmic axis. They stand on any background: text and lines take a
 * grey that can be read on white and on black, and what is plotted takes colours that can be told apart on both.
 */

export type Series = { readonly name: string; readonly values: readonly number[] }

export type Panel = {
  readonly title: string
  readonly unit: string
  readonly series: readonly Series[]
  /** A bound that is stated, drawn as a dashed line. */
  readonly most?: number
}

const COLOURS = ['#2f81f7', '#d9822b'] as const
const GREY = '#808891'
const WIDTH = 300
const HEIGHT = 230
const LEFT = 46
const RIGHT = 14
const TOP = 40
const BOTTOM = 52

/** One panel after another; `xs` are the same for all, and greater than zero. */
export function plot(panels: readonly Panel[], xs: readonly number[], xTitle: string, description: string): string {
  // The last label of an axis stands half beyond it.
  const width = WIDTH * panels.length + RIGHT
  const text = `font-family="system-ui, sans-serif" font-size="11" fill="${GREY}"`
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${HEIGHT}" width="${width}" role="img" ${text}>`,
    `<title>${escaped(description)}</title>`,
    ...panels.map(
      (panel, index) => `<g transform="translate(${index * WIDTH} 0)">\n${panelOf(panel, xs, xTitle)}\n</g>`,
    ),
    '</svg>\n',
  ].join('\n')
}

function panelOf({ title, unit, series, most }: Panel, xs: readonly number[], xTitle: string): string {
  const top = niceTop(Math.max(most ?? 0, ...series.flatMap(({ values }) => values)))
  const [first = 1, last = 10] = [xs[0], xs.at(-1)]
  const x = (value: number) => LEFT + (Math.log(value / first) / Math.log(last / first)) * (WIDTH - LEFT - RIGHT)
  const y = (value: number) => HEIGHT - BOTTOM - (value / top) * (HEIGHT - TOP - BOTTOM)
  const at = (value: number) => value.toFixed(1)
  const line = (from: readonly [number, number], to: readonly [number, number], more: string) =>
    `<line x1="${at(from[0])}" y1="${at(from[1])}" x2="${at(to[0])}" y2="${at(to[1])}" stroke="${GREY}" ${more}/>`
  const ends = [LEFT, WIDTH - RIGHT] as const
  const grid = [0, top / 2, top].map(
    (value) =>
      `${line([ends[0], y(value)], [ends[1], y(value)], 'stroke-opacity="0.3"')}<text x="${LEFT - 6}" y="${at(y(value) + 4)}" text-anchor="end">${number(value)}</text>`,
  )
  const marks = xs.map(
    (value) => `<text x="${at(x(value))}" y="${HEIGHT - BOTTOM + 16}" text-anchor="middle">${number(value)}</text>`,
  )
  const bound =
    most === undefined
      ? []
      : [line([ends[0], y(most)], [ends[1], y(most)], 'stroke-dasharray="4 3" stroke-width="1.5"')]
  const drawn = series.map(({ values }, index) => {
    const colour = COLOURS[index % COLOURS.length]
    const points = values.map((value, place) => `${at(x(xs[place] ?? first))},${at(y(value))}`)
    const dots = points
      .map((point) => point.split(','))
      .map(([cx, cy]) => `<circle cx="${cx}" cy="${cy}" r="3" fill="${colour}"/>`)
    return `<polyline points="${points.join(' ')}" fill="none" stroke="${colour}" stroke-width="2"/>${dots.join('')}`
  })
  const legend = series.map(
    ({ name }, index) =>
      `<tspan x="${LEFT}" dy="${index === 0 ? 0 : 12}" fill="${COLOURS[index % COLOURS.length]}">${escaped(name)}</tspan>`,
  )
  return [
    `<text x="${LEFT}" y="16" font-size="12" font-weight="600">${escaped(title)}, ${escaped(unit)}</text>`,
    ...grid,
    ...marks,
    ...bound,
    ...drawn,
    `<text x="${LEFT}" y="${HEIGHT - BOTTOM + 32}">${legend.join('')}</text>`,
    `<text x="${WIDTH - RIGHT}" y="${HEIGHT - BOTTOM + 32}" text-anchor="end">${escaped(xTitle)}</text>`,
  ].join('\n')
}

/** A round number that is no less. */
function niceTop(value: number): number {
  const power = 10 ** Math.floor(Math.log10(value || 1))
  return ([1, 2, 3, 4, 5, 6, 8, 10].find((step) => step * power >= value) ?? 10) * power
}

const number = (value: number) => value.toLocaleString('en-US', { maximumFractionDigits: 2 })

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
}
