/** `npm run crd`: writes the CRD. A test fails when what stands in `crds/` is not what this writes. */
import { writeFile } from 'node:fs/promises'
import { stringify } from 'yaml'
import { customResourceDefinition } from './crd.ts'

const target = new URL('../crds/zendeskconnectors.yaml', import.meta.url)
const head = '# Generated from src/connector/schema.ts by `npm run crd`. Do not edit.\n'
await writeFile(target, head + stringify(customResourceDefinition(), { lineWidth: 0, aliasDuplicateObjects: false }))
