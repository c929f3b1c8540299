import { CrispenError, createUpscaler } from '../../../src/index.ts';

export async function run(output: HTMLElement) {
  const upscaler = createUpscaler({ baseUrl: './models/' });
  try {
    await upscaler.upscale(new Blob(['This is a letter.']));
  } catch (error) {
    if (!(error instanceof CrispenError)) throw error;
    // The code is stable. The message and the hint are for people.
    output.textContent = `${error.code}: ${error.message} ${error.hint}`;
  } finally {
    upscaler.destroy();
  }
}
