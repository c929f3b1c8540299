/** A worker that a page starts. It uses the library in the same way as a page. */
import { CrispenError, createUpscaler, type UpscaleRequest } from '../src/index.ts';

declare const self: Worker & { onmessage: (event: MessageEvent) => void };

self.onmessage = async ({ data }) => {
  const { file, request, options } = data as {
    readonly file: Blob | string;
    readonly request: UpscaleRequest;
    readonly options: object;
  };
  try {
    const upscaler = createUpscaler(options);
    const { image, ...rest } = await upscaler.upscale(file, { ...request, output: 'image/png' });
    self.postMessage({ ...rest, code: null, image });
    upscaler.destroy();
  } catch (error) {
    self.postMessage(error instanceof CrispenError ? error.serialize() : { code: String(error) });
  }
};
self.postMessage('ready');
