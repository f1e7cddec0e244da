import { readFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { parse } from 'yaml'
import { customResourceDefinition } from '../../scripts/crd.ts'

test('crds/ holds what the schema says: run `npm run crd` after a change', async () => {
  const file = new URL('../../crds/zendeskconnectors.yaml', import.meta.url)
  expect(parse(await readFile(file, 'utf8'))).toEqual(customResourceDefinition())
})
