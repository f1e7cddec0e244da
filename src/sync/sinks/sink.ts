/**
 * A sink: where segments go. The engine knows one from another nowhere. To add one: its fields in connector/schema.ts, its
 * orders in connector/run.ts and orders.ts, a function that returns a `Sink` here, a case in open-sink.ts, and what must be
 * mounted for it in kube/run-manifests.ts.
 */
import type { Segment, SegmentHeader } from '../segment.ts'

export type Sink = {
  /** Tells this sink from any other; one with another identity is another chain. Not shown to anybody. */
  readonly identity: string
  /** Absent: what was published cannot be read back, and the checkpoint alone knows where the chain ends. */
  readonly readBack?: ReadBack
  /**
   * Makes the segment durable under its stream and number, but only where nothing stands. After an error nobody knows
   * whether it did.
   * @throws SinkError
   */
  publish(segment: Segment): Promise<Published>
  /** Lets go of connections. */
  close?(): Promise<void>
}

/** What became of a segment. */
export type Published =
  | 'published'
  /** Another stands in its place; this is its header. */
  | { readonly taken: SegmentHeader }
  /** Published but for these records, by their `metadata.uid`, which the sink refuses for good. */
  | { readonly rejected: readonly string[] }

export type ReadBack = {
  /** Highest number of a stream's segments; undefined when there is none. Costly: for a lost checkpoint. @throws SinkError */
  last(stream: string): Promise<number | undefined>
  /** Header of one segment; undefined when it is not there. @throws SinkError */
  header(stream: string, number: number): Promise<SegmentHeader | undefined>
  /** Lines of one segment that is there, oldest first. @throws SinkError */
  lines(stream: string, number: number): AsyncIterable<string>
}

/** The sink refuses. `message` is one sentence for people that says what to mend. */
export class SinkError extends Error {
  override readonly name = 'SinkError'
  readonly reason = 'SinkUnavailable'
}
