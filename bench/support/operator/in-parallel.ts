/** Many calls, so many at a time: over connections that are kept, thousands of objects are made in seconds. */

/** Works on all items, `width` of them side by side. Rejects at the first failure. */
export async function inParallel<T>(
  items: Iterable<T>,
  width: number,
  work: (item: T, index: number) => Promise<void>,
): Promise<void> {
  const queue = Iterator.from(items).map((item, index) => [item, index] as const)
  const worker = async () => {
    for (let next = queue.next(); next.done !== true; next = queue.next()) await work(...next.value)
  }
  await Promise.all(Array.from({ length: width }, worker))
}
