import { readFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { parse } from 'yaml'
import { customResourceDefinition } from '../../scripts/crd.ts'

test.each(['crds/zendeskconnectors.yaml', 'charts/zendesk-connector/files/zendeskconnectors.yaml'])(
  '%s holds what the schema says: run `npm run crd` after a change',
  async (path) => {
    const file = new URL(`../../${path}`, import.meta.url)
    expect(parse(await readFile(file, 'utf8'))).toEqual(customResourceDefinition())
  },
)
