/** `npm run reference`: writes the pages that are made from the source. A test fails when they say something else. */
import { writeFile } from 'node:fs/promises'
import { reasonsPage } from './reasons.ts'
import { referencePage } from './reference.ts'

const docs = new URL('../docs/', import.meta.url)
await writeFile(new URL('reference.md', docs), referencePage())
await writeFile(new URL('reasons.md', docs), reasonsPage())
