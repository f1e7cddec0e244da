/** `npm run build [-- FOLDER]`: writes the program into a folder, `dist/` if none is named. */
import { join, resolve } from 'node:path'
import { bundle } from './bundle.ts'

const folder = resolve(process.argv[2] ?? join(import.meta.dirname, '..', 'dist'))
const { outputs } = await bundle(folder)
const bytes = Object.values(outputs).reduce((sum, output) => sum + output.bytes, 0)
console.log(`${folder}: ${Object.keys(outputs).length} files of code, ${(bytes / 1e6).toFixed(1)} MB`)
