/**
 * Assembles the WebAssembly modules and writes them to `src/cpu/generated`. `npm run cpu:module`
 * runs this script.
 */
import { writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { assembledModules } from './assemble.ts';

const folder = resolve(import.meta.dirname, '../generated');
const { modules, probes } = await assembledModules();
const note = 'Written by `npm run cpu:module` from `wat/`. Do not edit.';
for (const [name, hex] of Object.entries(modules)) {
  const text = `/** A WebAssembly module in hexadecimal digits. ${note} */\nexport const MODULE = '${hex}';\n`;
  await writeFile(resolve(folder, `${name}.ts`), text);
  console.log(`${name}: ${hex.length} characters`);
}
await writeFile(
  resolve(folder, 'probes.ts'),
  `/** Small modules, one for each variant. A runtime can validate a module only if it supports its variant. ${note} */
export const PROBES = ${JSON.stringify(probes)} as const;
`,
);
