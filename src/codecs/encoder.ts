import type { Rgba8Image } from '../image/image.ts';

/** MIME types of the output formats. */
export type OutputType = 'image/png' | 'image/jpeg' | 'image/webp';

/** One output format; `index.ts` is the registry. */
export interface Encoder {
  readonly type: OutputType;
  /** Largest width and height that the format can hold. */
  readonly maxSide: number;
  /**
   * @param quality 0 to 1; lossless formats ignore it.
   * @throws CrispenError `ENCODE_FAILED`
   */
  encode(image: Rgba8Image, quality: number): Promise<Blob>;
}
