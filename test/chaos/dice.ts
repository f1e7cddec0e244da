/** Choices that can be made again: equal seeds give equal sequences. */
import { mix } from '../simulator/random.ts'

export type Dice = {
  /** From [0, 1). */
  roll(): number
  /** A whole number from `least` to `most`, both inclusive. */
  between(least: number, most: number): number
  chance(probability: number): boolean
  of<T>(choices: readonly T[]): T
  /** Text that does not compress well. */
  noise(characters: number): string
}

export function createDice(seed: number): Dice {
  let rolled = 0
  const roll = () => mix(seed, rolled++) / 2 ** 32
  const between = (least: number, most: number) => least + Math.floor(roll() * (most - least + 1))
  return {
    roll,
    between,
    chance: (probability) => roll() < probability,
    of: (choices) => {
      const choice = choices[between(0, choices.length - 1)]
      if (choice === undefined) throw new Error('nothing to choose from')
      return choice
    },
    noise: (characters) => {
      const words = new Uint32Array(Math.ceil((characters * 3) / 16))
      for (let index = 0; index < words.length; index++) words[index] = mix(seed + 1, rolled++)
      return Buffer.from(words.buffer).toString('base64').slice(0, characters)
    },
  }
}
