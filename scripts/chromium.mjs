/** Finds or installs the browser and the Vulkan driver for the tests. */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { findChromium, findSwiftShader } from '../src/node/drivers.mjs';

export { findChromium, findSwiftShader };

/**
 * Finds a Chromium with its SwiftShader. If there is none, installs one: with apt-get if run as
 * root on Debian or a derivative, otherwise with Playwright. Prints each step.
 * @returns {{ chromium: string, swiftShader: string | null }}
 */
export function ensureChromium() {
  if (findChromium() === null) {
    if (process.env.CRISPEN_CHROMIUM) {
      throw new Error(
        `$CRISPEN_CHROMIUM names ${process.env.CRISPEN_CHROMIUM}, which is not there.`,
      );
    }
    install();
  }
  const chromium = findChromium();
  if (chromium === null) {
    throw new Error(
      'There is no Chromium and none could be installed. Install one and set $CRISPEN_CHROMIUM.',
    );
  }
  return { chromium, swiftShader: findSwiftShader() };
}

function install() {
  const isRoot = process.getuid?.() === 0;
  if (isRoot && existsSync('/usr/bin/apt-get')) {
    console.log('No Chromium found: installing it by apt-get.');
    const installed =
      command('apt-get', ['update']) && command('apt-get', ['install', '-y', 'chromium']);
    if (installed) return;
  }
  console.log("No Chromium found: installing Playwright's.");
  if (!command('npx', ['playwright', 'install', 'chromium'])) {
    console.log('If libraries are missing: sudo npx playwright install-deps chromium');
  }
}

/**
 * @param {string} name
 * @param {string[]} args
 */
function command(name, args) {
  console.log(`$ ${name} ${args.join(' ')}`);
  const { status } = spawnSync(name, args, {
    stdio: ['ignore', 'inherit', 'inherit'],
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
    shell: process.platform === 'win32',
  });
  return status === 0;
}
