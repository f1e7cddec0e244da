/** Draws over what was drawn before: for views that change while one looks at them. */
import type { Output } from './progress-bar.ts'

export type Screen = Output & { readonly rows?: number }

const ENDLESS = { columns: 80, rows: 24 }
const ESCAPE = '\x1b'
const colours = new RegExp(`(${ESCAPE}\\[\\d+m)`)

/** Each call takes the place of the one before. Lines are wrapped here, since only so one knows how many there are. */
export function createRedraw(screen: Screen): (text: string) => void {
  let drawn = 0
  return (text) => {
    const width = Math.max(20, screen.columns || ENDLESS.columns)
    const lines = text
      .trimEnd()
      .split('\n')
      .flatMap((line) => wrapped(line, width))
    // What has left the screen at its top cannot be drawn over.
    const room = Math.max(2, (screen.rows || ENDLESS.rows) - 1)
    const shown = lines.length > room ? [...lines.slice(0, room - 1), '…'] : lines
    const erase = drawn > 0 ? `\r${ESCAPE}[${drawn}A${ESCAPE}[J` : ''
    screen.write(`${erase}${shown.join('\n')}\n`)
    drawn = shown.length
  }
}

/** In pieces of at most `width` characters; colours have no width. */
function wrapped(line: string, width: number): string[] {
  if (lengthOf(line) <= width) return [line]
  const pieces: string[] = []
  let piece = ''
  let length = 0
  for (const part of line.split(colours)) {
    if (part.startsWith(ESCAPE)) {
      piece += part
      continue
    }
    for (const character of part) {
      if (length + character.length > width) {
        pieces.push(piece)
        piece = ''
        length = 0
      }
      piece += character
      length += character.length
    }
  }
  return [...pieces, piece]
}

function lengthOf(line: string): number {
  return line
    .split(colours)
    .filter((part) => !part.startsWith(ESCAPE))
    .join('').length
}
