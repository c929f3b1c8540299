import { createUpscaler, type Upscaler } from '../../../src/index.ts';

let upscaler: Upscaler | undefined;

export async function run(output: HTMLElement, source: string | Blob) {
  // The canvas shows the result until the upscaler is destroyed.
  upscaler ??= createUpscaler({ baseUrl: './models/' });
  const canvas = document.createElement('canvas');
  const { diagnostics } = await upscaler.upscaleTo(canvas, source);
  const ms = Math.round(diagnostics.timings.upscale ?? 0);
  output.append(canvas, `${ms} ms in ${diagnostics.tiles} tile(s)`);
}
