import type { RgbaImage } from '../image/image.ts';
import type { ImageTags } from '../image/tags.ts';
import type { OutputType } from './formats.ts';

/** One output format; `index.ts` is the registry. */
export interface Encoder {
  readonly type: OutputType;
  /**
   * @param image with 16 bits per sample they are written where the format has them, else rounded
   * @param quality 0 to 1; lossless formats ignore it.
   * @param tags what is written of them goes in as it is: drop before what is not to be kept
   * @throws CrispenError `ENCODE_FAILED`
   */
  encode(image: RgbaImage, quality: number, tags: ImageTags): Promise<Blob>;
}
