/** `npm run build`: writes the program into `dist/`. */
import { join } from 'node:path'
import { bundle } from './bundle.ts'

const { outputs } = await bundle(join(import.meta.dirname, '..', 'dist'))
const bytes = Object.values(outputs).reduce((sum, output) => sum + output.bytes, 0)
console.log(`dist: ${Object.keys(outputs).length} files, ${(bytes / 1e6).toFixed(1)} MB`)
