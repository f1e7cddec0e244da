// What `helm test` runs in our own image: somebody leads, and a connector that is created gets a status. It is suspended,
// so that nothing is sent to Zendesk.
import { readFileSync } from 'node:fs'
import { request } from 'node:https'
import { setTimeout as delay } from 'node:timers/promises'

const { KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: port } = process.env
const { RELEASE_NAMESPACE: home, CONNECTOR_NAMESPACE: namespace } = process.env
const account = '/var/run/secrets/kubernetes.io/serviceaccount'
const [token, ca] = ['token', 'ca.crt'].map((name) => readFileSync(`${account}/${name}`, 'utf8'))
const connectors = `/apis/cloudapps.security/v1alpha1/namespaces/${namespace}/zendeskconnectors`
const lease = `/apis/coordination.k8s.io/v1/namespaces/${home}/leases/zendesk-connector`
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
const { metadata } = await call('POST', connectors, {
  apiVersion: 'cloudapps.security/v1alpha1',
  kind: 'ZendeskConnector',
  metadata: { generateName: 'helm-test-', labels: { 'app.kubernetes.io/component': 'test' } },
  spec: {
    endpoint: 'helm-test.zendesk.com',
    secretRef: { name: 'helm-test' },
    suspend: true,
    sync: { sink: { stdout: {} } },
  },
})
console.log(`ok: the API server takes a connector: ${namespace}/${metadata.name}`)
try {
  await until('the operator gives it a status', async () => {
    const { status } = await call('GET', `${connectors}/${metadata.name}`)
    return status?.conditions?.find(({ type }) => type === 'Ready')?.reason
  })
} finally {
  await call('DELETE', `${connectors}/${metadata.name}`)
}
