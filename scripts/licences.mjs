import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const root = join(import.meta.dirname, '..');

/**
 * Writes the licences next to the built pages. The build fails if it contains a package that
 * THIRD-PARTY.md does not list.
 * @param {{ emit: boolean }} options `emit`: whether to write the files; the separate build of a
 *   worker only checks packages
 * @returns {import('vite').Plugin}
 */
export function licences({ emit }) {
  const named = readFileSync(join(root, 'THIRD-PARTY.md'), 'utf8');
  const own = readFileSync(join(root, 'LICENSE'), 'utf8');
  return {
    name: 'licences',
    apply: 'build',
    generateBundle(_options, bundle) {
      for (const file of Object.values(bundle)) {
        for (const id of file.type === 'chunk' ? Object.keys(file.modules) : []) {
          const name = packageOf(id);
          if (name === null || named.split(/[\s,|]+/).includes(name)) continue;
          this.error(`THIRD-PARTY.md does not name ${name}, which the build contains.`);
        }
      }
      if (!emit) return;
      this.emitFile({ type: 'asset', fileName: 'LICENSE.txt', source: own });
      this.emitFile({ type: 'asset', fileName: 'THIRD-PARTY.txt', source: named });
    },
  };
}

/**
 * Returns the package that a module belongs to, or null for the project's own modules.
 * @param {string} id
 */
function packageOf(id) {
  const [, inside] = /.*node_modules[\\/](.+)/.exec(id) ?? [];
  if (inside === undefined) return null;
  const [first, second] = inside.split(/[\\/]/);
  return first.startsWith('@') ? `${first}/${second}` : first;
}
