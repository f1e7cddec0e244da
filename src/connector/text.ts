/**
 * Text that others wrote: Zendesk's, the kubelet's, the API server's, a person's. Whatever of it gets into a message, a
 * status, an Event or a log goes through here where it comes in, because kubectl and terminals show what they are given:
 * an escape sequence would repaint the screen, a bidi override would turn a sentence round, a line feed would forge a line.
 */
import { z } from 'zod'

/**
 * All that is obeyed rather than shown: control characters (escape sequences begin with one), marks that turn or hide
 * text, separators of lines, halves of characters. Joiners stay: names in Hindi and emoji of families need them.
 */
const obeyed = /[[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]--[\u200c\u200d]]+/gv

/** `text` as one line that is safe to show, of at most `most` UTF-16 units; `…` where it was cut. */
export function plainText(text: string, most: number): string {
  if (text.length <= most && harmless.test(text)) return text
  // What is far beyond the end is not even looked at: it may be megabytes.
  const plain = text
    .slice(0, most * 4)
    .replaceAll(obeyed, ' ')
    .trim()
  if (plain.length <= most) return plain
  return `${plain.slice(0, most - 1).replace(halfAtEnd, '')}…`
}

/** What nearly all texts are: a glance is enough. */
const harmless = /^(?:[!-~](?:[ -~]*[!-~])?)?$/
const halfAtEnd = /[\uD800-\uDBFF]$/

/** Schema of such a text: taken in whatever it holds, and plain from there on. */
export const outsideText = (most: number) => z.string().transform((text) => plainText(text, most))
