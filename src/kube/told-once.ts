/** Keeps what happens again and again from being told again and again. */

export type ToldOnce<T> = {
  /** Passes it on, unless it reads as what was told last. */
  tell(what: T): void
  /** It is well: whatever comes next is told. */
  clear(): void
}

export function toldOnce<T>(tell: (what: T) => void): ToldOnce<T> {
  let last: string | undefined
  return {
    tell: (what) => {
      const text = String(what)
      if (text !== last) tell(what)
      last = text
    },
    clear: () => {
      last = undefined
    },
  }
}
