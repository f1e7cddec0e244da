/** The connection test over connections of its own: operator and command line run the same, and keep none of them. */
import type { Credentials } from './connector/credentials.ts'
import type { Spec } from './connector/schema.ts'
import { type TestResult, testConnection } from './zendesk/connection-test.ts'
import { connectTo, type Egress } from './zendesk/http.ts'

/** Tests the account that `spec` names. Rejects only when `signal` is aborted; what went wrong is in the checks. */
export async function testAccount(
  { endpoint, sync: { streams }, rateLimit: { requestsPerMinute } }: Spec,
  credentials: Credentials,
  egress: Egress,
  signal: AbortSignal,
): Promise<TestResult> {
  const { send, close } = connectTo(endpoint, egress)
  try {
    const options = { signal, now: () => new Date() }
    return await testConnection(send, { endpoint, streams, requestsPerMinute }, credentials, options)
  } finally {
    // The result is in hand: nobody waits for connections to end.
    void close().catch(() => {})
  }
}
