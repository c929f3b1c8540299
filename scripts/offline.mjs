import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * Matches files that the demo page does not need. Files above `LARGE` bytes are loaded on request.
 */
const APART =
  /^(docs|bench)\.html$|^(LICENSE|THIRD-PARTY)\.txt$|^assets\/(docs|bench|copy)-|\.map$/;
const LARGE = 500_000;

/**
 * Returns whether a file contains the bench page's text in some language. Such a file has the same
 * name as the demo's file for that language.
 */
const isOfBench = (
  /** @type {import('vite').Rolldown.OutputChunk | import('vite').Rolldown.OutputAsset} */ file,
) => file.type === 'chunk' && (file.facadeModuleId ?? '').includes('/bench/page/');

/**
 * Generates service-worker.js from `demo/offline/service-worker.js` and the list of the demo page's
 * files.
 * @returns {import('vite').Plugin}
 */
export function offline() {
  let publicDir = '';
  return {
    name: 'offline',
    apply: 'build',
    enforce: 'post',
    configResolved(config) {
      publicDir = config.publicDir;
    },
    generateBundle: {
      order: 'post',
      handler(_options, bundle) {
        /** @type {[string, string | Uint8Array][]} */
        const files = Object.values(bundle)
          .filter((file) => !APART.test(file.fileName) && !isOfBench(file))
          .map((file) => [file.fileName, file.type === 'chunk' ? file.code : file.source]);
        for (const name of readdirSync(publicDir, { recursive: true, encoding: 'utf8' })) {
          if (/\.(svg|png|jpg|webp|webmanifest)$/.test(name)) {
            files.push([name.replaceAll('\\', '/'), readFileSync(join(publicDir, name))]);
          }
        }
        files.sort(([a], [b]) => (a < b ? -1 : 1));
        const hash = createHash('sha256');
        for (const [name, content] of files) hash.update(name).update(content);
        const list = (/** @type {boolean} */ isLarge) =>
          JSON.stringify(files.filter(([, c]) => c.length > LARGE === isLarge).map(([n]) => n));
        const source = readFileSync(
          join(import.meta.dirname, '../demo/offline/service-worker.js'),
          'utf8',
        )
          .replace('/* FILES */ []', list(false))
          .replace('/* LATER */ []', list(true))
          .replace('/* VERSION */', hash.digest('hex').slice(0, 16));
        this.emitFile({ type: 'asset', fileName: 'service-worker.js', source });
      },
    },
  };
}
