/** The simulator's time: the real one plus what a test has let pass. Never runs backwards. */
export type Clock = {
  /** Milliseconds since 1970 as Zendesk sees them: answers, expiries and rate-limit windows follow this. */
  now(): number
  /** Milliseconds since 1970 as they really are, with fractions: the ledger stamps arrivals with these. */
  real(): number
  /** Lets time pass at once. */
  advance(milliseconds: number): void
}

/** Built on the monotonic clock, so that a step of the machine's wall clock cannot upset a window. */
export function createClock(): Clock {
  let ahead = 0
  const real = () => performance.timeOrigin + performance.now()
  return {
    now: () => real() + ahead,
    real,
    advance(milliseconds) {
      if (!(milliseconds >= 0)) throw new Error('the clock only moves forward')
      ahead += milliseconds
    },
  }
}

/** Zendesk's time stamps: UTC, whole seconds. */
export function isoSeconds(seconds: number): string {
  const day = Math.floor(seconds / 86_400)
  const rest = seconds - day * 86_400
  const hour = twoDigits[Math.floor(rest / 3600)]
  const minute = twoDigits[Math.floor(rest / 60) % 60]
  return `${dateOf(day)}T${hour}:${minute}:${twoDigits[rest % 60]}Z`
}

const twoDigits = Array.from({ length: 60 }, (_, number) => String(number).padStart(2, '0'))
const dates = new Map<number, string>()

/** Remembered, because a page of a thousand users holds three thousand stamps of few days. */
function dateOf(day: number): string {
  const known = dates.get(day)
  if (known) return known
  const date = new Date(day * 86_400_000).toISOString().slice(0, 10)
  if (dates.size > 10_000) dates.clear()
  dates.set(day, date)
  return date
}
