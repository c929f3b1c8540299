/** npm run cpu:module: assembles the modules again. */
import { writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { assembledModules } from './assemble.ts';

const file = resolve(import.meta.dirname, '../module.generated.ts');
const entries = Object.entries(await assembledModules());
const properties = entries.map(([name, hex]) => `  ${name}:\n    '${hex}',`);
await writeFile(
  file,
  `/** Written by \`npm run cpu:module\` from \`wat/\`: WebAssembly modules in hexadecimal digits. Do not edit. */
export const MODULES = {
${properties.join('\n')}
} as const;
`,
);
for (const [name, { length }] of entries) console.log(`${name}: ${length} characters`);
