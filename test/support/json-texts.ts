/** Parts of a JSON text as they are written: what JSON.parse and JSON.stringify would change is seen to be unchanged. */

/** Texts of an array's elements. */
export function elementsOf(array: string): string[] {
  if (!array.startsWith('[') || !array.endsWith(']')) throw new Error('this is no array')
  return partsOf(array.slice(1, -1))
}

/** Text of an object's member; undefined when there is none. */
export function memberOf(object: string, name: string): string | undefined {
  if (!object.startsWith('{') || !object.endsWith('}')) throw new Error('this is no object')
  const key = `${JSON.stringify(name)}:`
  return partsOf(object.slice(1, -1))
    .find((part) => part.startsWith(key))
    ?.slice(key.length)
}

/** What stands between the commas that are in no string and no bracket. */
function partsOf(text: string): string[] {
  if (text === '') return []
  const parts: string[] = []
  let depth = 0
  let from = 0
  for (const { 0: token, index } of text.matchAll(/"[^"\\]*(?:\\.[^"\\]*)*"|[[\]{},]/g)) {
    if (token === '[' || token === '{') depth += 1
    if (token === ']' || token === '}') depth -= 1
    if (token !== ',' || depth > 0) continue
    parts.push(text.slice(from, index))
    from = index + 1
  }
  return [...parts, text.slice(from)]
}
