/** Lists the project's files and the node_modules files that `pack.mjs` puts into its archive. */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** The parts of the project to pack, as git paths. */
const PROJECT = [
  'src',
  'bench',
  'test',
  'scripts',
  'package.json',
  'vite.config.ts',
  'vitest.config.ts',
];
const FILES = [
  'public/models/a2n-x2.safetensors',
  'public/samples/cat.jpg',
  ...['', '.base', '.core', '.node', '.worker'].map((name) => `tsconfig${name}.json`),
];
/** These files are large and not needed in the archive. */
const LEFT_OUT = /^(test\/(images|faults|checkpoints)|bench\/page(?!\/texts))\//;
const PACKAGES = ['vite', 'vitest', 'webgpu', 'sharp', 'comlink', 'fast-png', 'wabt'];

/**
 * Returns the paths of the project's files to pack, relative to the project's root.
 * @param {string} root
 * @returns {string[]}
 */
export function packedFiles(root) {
  const listed = execFileSync('git', ['ls-files', '-z', ...PROJECT], {
    cwd: root,
    encoding: 'utf8',
  });
  const files = listed.split('\0').filter((file) => file && !LEFT_OUT.test(file));
  return [...files, ...FILES];
}

/**
 * Returns the folders of the required packages and all their dependencies, as npm installed them.
 * @param {string} root
 * @returns {string[]}
 */
export function packedPackages(root) {
  const { packages } = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8'));
  /** @type {Set<string>} */
  const found = new Set();
  /** @param {string} name @param {string} from */
  const visit = (name, from) => {
    // Searches upwards for the nearest folder that contains the package.
    let base = from;
    while (base !== '' && !packages[`${base}/node_modules/${name}`]) {
      base = base.slice(0, Math.max(0, base.lastIndexOf('/node_modules/')));
    }
    const path = base === '' ? `node_modules/${name}` : `${base}/node_modules/${name}`;
    if (found.has(path) || !packages[path] || !existsSync(join(root, path))) return;
    found.add(path);
    const { dependencies = {}, optionalDependencies = {} } = packages[path];
    for (const next of Object.keys({ ...dependencies, ...optionalDependencies })) visit(next, path);
  };
  for (const name of PACKAGES) visit(name, '');
  return [...found];
}
