/** `npm run crd`: writes the CRD. A test fails when what stands in `crds/` is not what this writes. */
import { writeFile } from 'node:fs/promises'
import { stringify } from 'yaml'
import { customResourceDefinition } from './crd.ts'

const targets = ['../crds/zendeskconnectors.yaml', '../charts/zendesk-connector/files/zendeskconnectors.yaml']
const head = '# Generated from src/connector/schema.ts by `npm run crd`. Do not edit.\n'
const yaml = head + stringify(customResourceDefinition(), { lineWidth: 0, aliasDuplicateObjects: false })
for (const target of targets) await writeFile(new URL(target, import.meta.url), yaml)
