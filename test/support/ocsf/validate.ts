/** Whether an event is what OCSF 1.8.0 wants, by the schema that scripts/generate-ocsf-schema.py wrote. */
import { readFileSync } from 'node:fs'
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js'

/** An event as it is read back from a line. */
export type OcsfEvent = Readonly<Record<string, unknown>> & {
  readonly class_uid: number
  readonly category_uid: number
  readonly activity_id: number
  readonly type_uid: number
  readonly metadata: Readonly<Record<string, unknown>> & { readonly profiles?: readonly string[] }
}

const document = JSON.parse(readFileSync(new URL('ocsf-1.8.0.json', import.meta.url), 'utf8'))
const ajv = new Ajv2020({ allErrors: true, allowUnionTypes: true })
ajv.addSchema(document)
const validators = new Map<string, ValidateFunction>()

/** What is wrong with an event: nothing, if the list is empty. An event of a class we do not emit is wrong. */
export function ocsfErrors(event: OcsfEvent): string[] {
  const name = ['class', event.class_uid, ...(event.metadata.profiles ?? [])].join('_')
  if (!Object.hasOwn(document.$defs, name)) return [`no schema of ${name}`]
  const validate = validators.get(name) ?? ajv.compile({ $ref: `${document.$id}#/$defs/${name}` })
  validators.set(name, validate)
  validate(event)
  const errors = (validate.errors ?? []).map(({ instancePath, message }) => `${instancePath} ${message}`)
  // The two sums that JSON Schema cannot state.
  if (event.type_uid !== event.class_uid * 100 + event.activity_id)
    errors.push('/type_uid is not the activity of its class')
  if (event.category_uid !== Math.floor(event.class_uid / 1000)) errors.push('/category_uid is not that of its class')
  return errors
}
