/**
 * Prometheus' text format for what has many series. It is written piece by piece, so that ten thousand connectors never
 * hold up the event loop, and straight from what is known, so that a series takes no memory of its own. prom-client has
 * the rest: it keeps an object for each series and writes each metric in one go.
 */
import { setImmediate as turn } from 'node:timers/promises'

/** One metric and its series. */
export type Family = {
  readonly name: string
  readonly help: string
  readonly type: 'counter' | 'gauge'
  /** Labels as they stand between the braces, and the value. */
  samples(): Iterable<readonly [labels: string, value: number]>
}

/** Characters of one piece: about a millisecond's work. */
const PIECE = 64 * 1024

/** All families as text; between two pieces everything else has its turn. */
export async function* exposition(families: readonly Family[]): AsyncGenerator<string, void, undefined> {
  let piece = ''
  for (const { name, help, type, samples } of families) {
    piece += `# HELP ${name} ${escaped(help)}\n# TYPE ${name} ${type}\n`
    for (const [labels, value] of samples()) {
      piece += labels === '' ? `${name} ${value}\n` : `${name}{${labels}} ${value}\n`
      if (piece.length < PIECE) continue
      yield piece
      piece = ''
      await turn()
    }
    piece += '\n'
  }
  yield piece
}

/** `namespace="a",name="b"`. */
export function labelled(labels: Readonly<Record<string, string>>): string {
  return Object.entries(labels)
    .map(([name, value]) => `${name}="${escaped(value).replaceAll('"', '\\"')}"`)
    .join()
}

/** The labels of the connector `namespace/name`. */
export function labelsOf(key: string): string {
  const slash = key.indexOf('/')
  return labelled({ namespace: key.slice(0, slash), name: key.slice(slash + 1) })
}

/** Two sets of labels as one; either may be empty. */
export function joined(one: string, other: string): string {
  return one === '' || other === '' ? one + other : `${one},${other}`
}

function escaped(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n')
}
