import { type Browser, chromium } from 'playwright';
import { findChromium } from '../scripts/chromium.mjs';
import { INSECURE_HOST } from './server.ts';

/** WebGPU on the machine's own graphics card, without a display. */
const HARDWARE = ['--enable-unsafe-webgpu', '--enable-features=Vulkan'];
/** WebGPU and WebGL on SwiftShader, so that the tests need no graphics card. */
const SOFTWARE = [...HARDWARE, '--use-vulkan=swiftshader', '--use-angle=swiftshader'];

/**
 * A Chromium with the software adapter, with the machine's own or, `webgpu: false`, as it comes:
 * without any adapter.
 */
export async function launch({ webgpu }: { webgpu: boolean | 'hardware' }): Promise<Browser> {
  const executablePath = findChromium();
  if (!executablePath) throw new Error('There is no Chromium: set $CRISPEN_CHROMIUM.');
  const isRoot = process.getuid?.() === 0;
  return chromium.launch({
    executablePath,
    args: [
      `--host-resolver-rules=MAP ${INSECURE_HOST} 127.0.0.1`,
      ...(webgpu === 'hardware' ? HARDWARE : webgpu ? SOFTWARE : []),
      ...(isRoot ? ['--no-sandbox'] : []),
    ],
  });
}
