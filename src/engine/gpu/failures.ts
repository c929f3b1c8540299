/** The errors that a device can cause, with messages and hints. */
import { CrispenError } from '../../errors.ts';
import type { AdapterReport } from '../types.ts';

export const softwareOnly = ({ description, architecture }: AdapterReport): CrispenError =>
  new CrispenError(
    'NO_WEBGPU',
    `WebGPU runs in software here (${description || architecture || 'a fallback adapter'}).`,
    { hint: "WebAssembly is faster. The option backend: 'webgpu' takes the software adapter." },
  );

export const messageOf = (error: unknown): string =>
  (error instanceof Error && error.message) || 'The GPU refused a call.';

export const noWebGpu = (what: string, cause?: unknown): CrispenError =>
  new CrispenError('NO_WEBGPU', `${what}.`, {
    hint: 'Use a current browser with WebGPU, and enable hardware acceleration.',
    cause,
  });

export const deviceLost = (reason: string): CrispenError =>
  new CrispenError('DEVICE_LOST', `The GPU device was lost: ${reason}.`, {
    hint: 'Try again. If it happens every time, choose a smaller image or restart the browser.',
  });

export const outOfMemory = (what: string): CrispenError =>
  new CrispenError('OUT_OF_MEMORY', what, {
    hint: 'Close other tabs that use the GPU, or choose a smaller image or memory budget.',
  });
