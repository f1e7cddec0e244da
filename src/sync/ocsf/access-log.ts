/** Records of Zendesk's access log in OCSF: API Activity. */
import { type Fields, fieldsOf } from '../record.ts'
import type { Kind, Mapper } from './event.ts'
import { id, ip, text, whole } from './fields.ts'

const UNKNOWN = 0
const OTHER = 99
const SUCCESS = 1
const FAILURE = 2

/** OCSF's activity of each method that it knows: Create, Read, Update and Delete. */
const methods: ReadonlyMap<string, number> = new Map([
  ['GET', 2],
  ['HEAD', 2],
  ['POST', 1],
  ['PUT', 3],
  ['PATCH', 3],
  ['DELETE', 4],
  ['OPTIONS', OTHER],
  ['TRACE', OTHER],
  ['CONNECT', OTHER],
])

export const mapAccessLog: Mapper = ({ fields }) => fields && kindOf(fields)

/** Everything may be missing: what OCSF requires is then called unknown. */
function kindOf(log: Fields): Kind {
  const method = text(log.method)?.toUpperCase()
  const activity = method === undefined ? UNKNOWN : (methods.get(method) ?? OTHER)
  const uid = id(log.user_id)
  const address = ip(log.ip_address)
  const requestId = id(log.id)
  const code = whole(log.status)
  const authorization = text(log.authorization_type)
  return {
    class_uid: 6003,
    category_uid: 6,
    activity_id: activity,
    activity_name: activity === OTHER ? method : undefined,
    attributes: {
      message: text(log.summary),
      ...(code !== undefined && { status_id: code < 400 ? SUCCESS : FAILURE, status_code: String(code) }),
      actor: { user: uid ? { uid } : { name: 'Unknown', type_id: UNKNOWN } },
      src_endpoint: address ? { ip: address } : { name: 'Unknown' },
      api: {
        operation: text(fieldsOf(log.graphql)?.operation_name) ?? text(log.summary) ?? method ?? 'Unknown',
        service: { name: 'Zendesk' },
        group: text(log.category) && { name: log.category },
        request: requestId && { uid: requestId },
        response: code === undefined ? undefined : { code },
      },
      http_request: {
        http_method: method && methods.has(method) ? method : undefined,
        url: urlOf(text(log.url)),
        user_agent: text(log.client),
        referrer: text(log.referer),
      },
      http_response: code === undefined ? undefined : { code, length: whole(log.bytes_sent) },
      unmapped: authorization && { authorization_type: authorization },
    },
  }
}

/** Zendesk gives the path and what follows it (D); OCSF keeps paths apart from whole URLs. */
function urlOf(url: string | undefined): Fields | undefined {
  if (url === undefined) return undefined
  if (!url.startsWith('/')) return { url_string: url }
  const query = url.indexOf('?')
  return query < 0 ? { path: url } : { path: url.slice(0, query), query_string: url.slice(query + 1) }
}
