import { type Browser, chromium } from 'playwright';
import { findChromium } from '../scripts/chromium.mjs';
import { INSECURE_HOST } from './server.ts';

/** Enables WebGPU on the machine's own graphics card, without a display. */
const HARDWARE = ['--enable-unsafe-webgpu', '--enable-features=Vulkan'];
/**
 * Runs WebGPU and WebGL on SwiftShader, so that the tests need no graphics card. Workgroup memory
 * is not initialised to zero. No kernel relies on this initialisation, and without it SwiftShader
 * compiles kernels in two thirds of the time.
 */
const SOFTWARE = [
  ...HARDWARE,
  '--use-vulkan=swiftshader',
  '--use-angle=swiftshader',
  '--enable-dawn-features=disable_workgroup_init',
];

/** Returns whether a request stays on this machine. */
function isLocal(address: string): boolean {
  const { protocol, hostname } = new URL(address);
  if (!/^(https?|wss?):$/.test(protocol)) return true;
  return ['127.0.0.1', 'localhost', INSECURE_HOST].includes(hostname);
}

/**
 * Starts Chromium with the software adapter, with the machine's own adapter, or, for `webgpu:
 * false`, without any adapter. Closing the browser throws an error if a page or a worker sent a
 * request to another machine. Every suite therefore checks that nothing leaves this machine.
 */
export async function launch({ webgpu }: { webgpu: boolean | 'hardware' }): Promise<Browser> {
  const executablePath = findChromium();
  if (!executablePath) throw new Error('There is no Chromium: set $CRISPEN_CHROMIUM.');
  const isRoot = process.getuid?.() === 0;
  const browser = await chromium.launch({
    executablePath,
    args: [
      `--host-resolver-rules=MAP ${INSECURE_HOST} 127.0.0.1`,
      ...(webgpu === 'hardware' ? HARDWARE : webgpu ? SOFTWARE : []),
      ...(isRoot ? ['--no-sandbox'] : []),
    ],
  });
  const foreign: string[] = [];
  browser.on('context', (context) =>
    context.on('request', (request) => {
      if (!isLocal(request.url())) foreign.push(request.url());
    }),
  );
  const close = browser.close.bind(browser);
  browser.close = async (options) => {
    await close(options);
    if (foreign.length > 0) throw new Error(`Requests left the machine: ${foreign.join(', ')}`);
  };
  return browser;
}
