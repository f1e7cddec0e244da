/** Splunk's channels: ackIds count from 0 in each, and what was told to be true once is forgotten. */

export type Channels = {
  /** Whether tokens acknowledge at all. */
  readonly acknowledge: boolean
  /** Takes a batch and gives its ackId. */
  take(channel: string, events: readonly string[]): number
  look(channel: string, ackIds: readonly number[]): Record<string, boolean>
  /** All that is not indexed is lost, and the counting begins again. */
  restart(): void
}

type Batch = { readonly events: readonly string[]; looks: number }
type Channel = { next: number; readonly waiting: Map<number, Batch> }

/** `index` is told what is there for good, after that many looks; undefined: no acknowledgement. */
export function createChannels(
  acknowledgesAfter: number | undefined,
  index: (events: readonly string[]) => void,
): Channels {
  const channels = new Map<string, Channel>()
  const open = (name: string): Channel => {
    const channel = channels.get(name) ?? { next: 0, waiting: new Map() }
    channels.set(name, channel)
    return channel
  }
  return {
    acknowledge: acknowledgesAfter !== undefined,
    take: (name, events) => {
      const channel = open(name)
      channel.waiting.set(channel.next, { events, looks: 0 })
      channel.next += 1
      return channel.next - 1
    },
    look: (name, ackIds) => {
      const { waiting } = open(name)
      const told: Record<string, boolean> = {}
      for (const ackId of ackIds) {
        const batch = waiting.get(ackId)
        if (batch !== undefined) batch.looks += 1
        told[ackId] = batch !== undefined && batch.looks > (acknowledgesAfter ?? 0)
        if (batch === undefined || !told[ackId]) continue
        waiting.delete(ackId)
        index(batch.events)
      }
      return told
    },
    restart: () => channels.clear(),
  }
}
