/** Compares two pictures in a worker, because SSIM takes seconds for large pictures. */
import { CrispenError, type SerializedError } from '../../src/errors.ts';
import { compareLuma } from '../../src/metrics/index.ts';

export interface Question {
  readonly result: Blob;
  readonly reference: Blob;
  /** The number of pixels to ignore on each side. */
  readonly border: number;
}

/** PSNR in dB, and SSIM. Both are computed on the luma Y. */
export interface Figures {
  readonly psnr: number;
  readonly ssim: number;
}

export type Answer = { readonly figures: Figures } | { readonly error: SerializedError };

async function pixels(file: Blob): Promise<ImageData> {
  // The comparison uses the stored values, because a colour conversion would change each picture
  // differently.
  const options = { colorSpaceConversion: 'none', premultiplyAlpha: 'none' } as const;
  const image = await createImageBitmap(file, options);
  const { width, height } = image;
  const context = new OffscreenCanvas(width, height).getContext('2d')!;
  context.drawImage(image, 0, 0);
  image.close();
  return context.getImageData(0, 0, width, height);
}

addEventListener('message', async ({ data }: MessageEvent<Question>) => {
  let answer: Answer;
  try {
    const { result, reference, border } = data;
    answer = { figures: compareLuma(await pixels(result), await pixels(reference), border) };
  } catch (error) {
    answer = { error: CrispenError.from(error, 'DECODE_FAILED').serialize() };
  }
  postMessage(answer);
});
