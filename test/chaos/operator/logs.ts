/** What an operator's log must not hold: lines that are no JSON, and errors that no fault explains. Pure. */
import { z } from 'zod'

const line = z.looseObject({
  level: z.string(),
  msg: z.string().default(''),
  error: z.looseObject({ name: z.string().default(''), reason: z.string().default('') }).optional(),
})

/** The lines that should not be there, each cut to something that can be shown. */
export function troublesIn(lines: readonly string[], mayLog: readonly string[]): string[] {
  return lines.filter((text) => !isFine(text, mayLog)).map((text) => text.slice(0, 400))
}

function isFine(text: string, mayLog: readonly string[]): boolean {
  const told = parsed(text)
  if (told === undefined) return false
  if (told.level !== 'error' && told.level !== 'fatal') return true
  return told.error?.name === 'KubeError' && mayLog.includes(told.error.reason)
}

function parsed(text: string): z.output<typeof line> | undefined {
  try {
    return line.safeParse(JSON.parse(text)).data
  } catch {
    return undefined
  }
}
