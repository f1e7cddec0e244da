/**
 * What nobody reads of an answer, cut out of its text before it is parsed: of a Job nine tenths, and what is never made
 * need not be collected. Where Jobs come as JSON it is most of the time until all are known.
 */

const QUOTE = 0x22
const COMMA = 0x2c
const BACKSLASH = 0x5c
const OPENING = { bracket: 0x5b, brace: 0x7b }
const CLOSING = { bracket: 0x5d, brace: 0x7d }

/**
 * Leaves out members of these names, at any depth. `text`: JSON as it comes over the wire, without spaces; a member that
 * is written otherwise stays, and text that is no JSON stays none.
 */
export function withoutMembers(text: string, names: readonly string[]): string {
  const found = names.map((name) => {
    const key = `"${name}":`
    return { key, at: text.indexOf(key) }
  })
  const kept: string[] = []
  let from = 0
  for (;;) {
    let next: (typeof found)[number] | undefined
    for (const one of found) {
      // What was cut out may have held more of them.
      if (one.at >= 0 && one.at < from) one.at = text.indexOf(one.key, from)
      if (one.at >= 0 && (next === undefined || one.at < next.at)) next = one
    }
    if (next === undefined) break
    const { key, at } = next
    next.at = text.indexOf(key, at + key.length)
    const before = text.charCodeAt(at - 1)
    // Else it is the end of a longer name, in which the quote is escaped.
    if (before !== COMMA && before !== OPENING.brace) continue
    const end = endOfValue(text, at + key.length)
    const hasOneBefore = before === COMMA && at - 1 >= from
    kept.push(text.slice(from, hasOneBefore ? at - 1 : at))
    from = !hasOneBefore && text.charCodeAt(end) === COMMA ? end + 1 : end
  }
  return kept.length === 0 ? text : kept.join('') + text.slice(from)
}

function endOfValue(text: string, start: number): number {
  let depth = 0
  for (let at = start; at < text.length; at += 1) {
    const code = text.charCodeAt(at)
    if (code === QUOTE) at = endOfString(text, at)
    else if (code === OPENING.brace || code === OPENING.bracket) depth += 1
    else if (code === CLOSING.brace || code === CLOSING.bracket) {
      // Of the object around a bare value.
      if (depth === 0) return at
      depth -= 1
    } else if (code === COMMA && depth === 0) return at
    if (depth === 0 && (code === QUOTE || code === CLOSING.brace || code === CLOSING.bracket)) return at + 1
  }
  return text.length
}

/** Where the string that begins at `start` has its closing quote. */
function endOfString(text: string, start: number): number {
  for (let end = text.indexOf('"', start + 1); end >= 0; end = text.indexOf('"', end + 1)) {
    let escapes = 0
    while (text.charCodeAt(end - 1 - escapes) === BACKSLASH) escapes += 1
    if (escapes % 2 === 0) return end
  }
  return text.length
}
