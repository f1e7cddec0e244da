// What `helm test` runs in our own image: somebody leads, sees a connector as it is created, and reads its Secret as soon as
// there is one. The Secret lacks its client secret, so that nothing is sent to Zendesk.
import { randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { request } from 'node:https'
import { setTimeout as delay } from 'node:timers/promises'

const { KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: port } = process.env
const { RELEASE_NAMESPACE: home, LEASE_NAME: leaseName, CONNECTOR_NAMESPACE: namespace } = process.env
const account = '/var/run/secrets/kubernetes.io/serviceaccount'
const [token, ca] = ['token', 'ca.crt'].map((name) => readFileSync(`${account}/${name}`, 'utf8'))
const connectors = `/apis/cloudapps.security/v1alpha1/namespaces/${namespace}/zendeskconnectors`
const lease = `/apis/coordination.k8s.io/v1/namespaces/${home}/leases/${leaseName}`
const secrets = `/api/v1/namespaces/${namespace}/secrets`
const deadline = performance.now() + 90_000

function call(method, path, body) {
  return new Promise((resolve, reject) => {
    const headers = { authorization: `Bearer ${token.trim()}`, 'content-type': 'application/json' }
    const sent = request({ host, port, ca, method, path, headers, timeout: 10_000 }, (answer) => {
      let text = ''
      answer.setEncoding('utf8')
      answer.on('data', (piece) => {
        text += piece
      })
      answer.on('end', () => {
        if (answer.statusCode < 300) resolve(JSON.parse(text))
        else reject(new Error(`${method} ${path}: ${answer.statusCode} ${text}`))
      })
    })
    sent.on('timeout', () => sent.destroy(new Error(`${method} ${path}: no answer`)))
    sent.on('error', reject)
    sent.end(body && JSON.stringify(body))
  })
}

async function until(what, look) {
  for (let last = 'nothing was seen'; ; await delay(500)) {
    try {
      const seen = await look()
      if (seen) return console.log(`ok: ${what}: ${seen}`)
    } catch (error) {
      last = error.message
    }
    if (performance.now() > deadline) throw new Error(`${what}: not so within 90 s (${last})`)
  }
}

await until('an operator leads', async () => {
  const { holderIdentity, renewTime, leaseDurationSeconds } = (await call('GET', lease)).spec
  return Date.now() - Date.parse(renewTime) < leaseDurationSeconds * 1000 && holderIdentity
})
const name = `helm-test-${randomUUID().slice(0, 8)}`
const { apiVersion, kind, metadata } = await call('POST', connectors, {
  apiVersion: 'cloudapps.security/v1alpha1',
  kind: 'ZendeskConnector',
  metadata: { name, labels: { 'app.kubernetes.io/component': 'test' } },
  spec: {
    endpoint: 'helm-test.zendesk.com',
    secretRef: { name },
    sync: { sink: { stdout: {} } },
  },
})
console.log(`ok: the API server takes a connector: ${namespace}/${name}`)
const untilReady = (what, reason) =>
  until(what, async () => {
    const { status } = await call('GET', `${connectors}/${name}`)
    const ready = status?.conditions?.find(({ type }) => type === 'Ready')
    return ready?.reason === reason && `${ready.reason}: ${ready.message}`
  })
try {
  await untilReady('the operator looks for its Secret', 'SecretNotFound')
  await call('POST', secrets, {
    apiVersion: 'v1',
    kind: 'Secret',
    // It goes with the connector.
    metadata: { name, ownerReferences: [{ apiVersion, kind, name, uid: metadata.uid }] },
    stringData: { clientId: 'helm-test' },
  })
  await untilReady('the operator has read the Secret', 'SecretKeyMissing')
} finally {
  await call('DELETE', `${connectors}/${name}`)
}
