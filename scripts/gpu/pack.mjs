/**
 * npm run gpu:pack [-- DIR]: creates `crispen-gpu.tar.xz` in DIR (default dist/gpu). The archive
 * contains everything that a bare Linux machine with a GPU needs to run the kernel tests, tuning,
 * the profile and the bench: the project, its dependencies from node_modules, Node, the Vulkan
 * loader, the X11 libraries that NVIDIA's driver links, and an ICD file for machines without a
 * display. The archive has at most 60 MB.
 */
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  realpathSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { findLibrary } from '../../src/node/drivers.mjs';
import { packedFiles, packedPackages } from './contents.mjs';

const MOST_BYTES = 60e6;
const NAME = 'crispen-gpu';
/** NVIDIA's driver links the X11 libraries even without a display. */
const LIBRARIES = [
  'libvulkan.so.1',
  ...['libX11.so.6', 'libXext.so.6', 'libxcb.so.1', 'libXau.so.6', 'libXdmcp.so.6'],
  ...['libbsd.so.0', 'libmd.so.0'],
];
/**
 * Without a display, libGLX_nvidia.so.0 fails, so this ICD file refers to libEGL_nvidia.so.0
 * instead.
 */
const NVIDIA = {
  file_format_version: '1.0.0',
  ICD: { library_path: 'libEGL_nvidia.so.0', api_version: '1.3.0' },
};
const RUN = `#!/bin/sh
# Measures Crispen on this machine's GPU: sh run.sh [--small] [--icd FILE] [--out FILE]
here=$(cd "$(dirname "$0")" && pwd)
export HOME="\${HOME:-$here}"
cd "$here/project" && exec "$here/bin/node" scripts/gpu/report.mjs "$@"
`;

const root = resolve(import.meta.dirname, '../..');
const [dir = 'dist/gpu', ...more] = process.argv.slice(2);
if (dir.startsWith('-') || more.length > 0) {
  console.error('npm run gpu:pack [-- DIR]: makes crispen-gpu.tar.xz in DIR, default dist/gpu');
  process.exit(2);
}
const target = resolve(root, dir);
if (process.platform !== 'linux') throw new Error('The bundle is made on Linux, for Linux.');

const folder = mkdtempSync(join(tmpdir(), `${NAME}-`));
try {
  const bundle = join(folder, NAME);
  const project = join(bundle, 'project');
  for (const file of packedFiles(root)) copy(join(root, file), join(project, file));
  for (const name of packedPackages(root)) copyPackage(name, join(project, name));
  copy(realpathSync(process.execPath), join(bundle, 'bin/node'));
  for (const name of LIBRARIES) {
    const path = findLibrary(name);
    if (path === null) console.warn(`${name} is not on this machine: the bundle goes without`);
    else copy(realpathSync(path), join(bundle, 'lib', name));
  }
  writeFileSync(join(bundle, 'nvidia_icd.json'), `${JSON.stringify(NVIDIA, null, 2)}\n`);
  writeFileSync(join(bundle, 'run.sh'), RUN);
  chmodSync(join(bundle, 'run.sh'), 0o755);

  mkdirSync(target, { recursive: true });
  const archive = join(target, `${NAME}.tar.xz`);
  const env = { ...process.env, XZ_OPT: '-9' };
  execFileSync('tar', ['-C', folder, '--owner=0', '--group=0', '-cJf', archive, NAME], { env });
  const { size } = statSync(archive);
  console.log(`${archive}: ${(size / 1e6).toFixed(1)} MB`);
  if (size > MOST_BYTES) throw new Error(`The archive has more than ${MOST_BYTES / 1e6} MB.`);
} finally {
  rmSync(folder, { recursive: true, force: true });
}

/**
 * @param {string} from
 * @param {string} to
 */
function copy(from, to) {
  mkdirSync(dirname(to), { recursive: true });
  cpSync(from, to, { dereference: true });
}

/**
 * Copies a package, but without source maps, declarations and binaries for other systems.
 * @param {string} name the package's folder, relative to the root of the project
 * @param {string} to
 */
function copyPackage(name, to) {
  cpSync(join(root, name), to, {
    recursive: true,
    dereference: true,
    filter: (path) =>
      !/\.(map|md|d\.[cm]?ts)$|\/dist\/(darwin|win32|linux-arm)[^/]*$/.test(path) &&
      !path.slice(join(root, name).length).includes('/node_modules'),
  });
}
