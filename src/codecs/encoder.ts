import type { RgbaImage } from '../image/image.ts';
import type { ImageTags } from '../image/tags.ts';
import type { OutputType } from './formats.ts';

/** One output format. `index.ts` is the registry. */
export interface Encoder {
  readonly type: OutputType;
  /**
   * @param image 16-bit samples stay 16-bit if the format supports them, and are rounded otherwise
   * @param quality 0 to 1; lossless formats ignore it.
   * @param tags written unchanged; remove first what must not be kept
   * @throws CrispenError `ENCODE_FAILED`
   */
  encode(image: RgbaImage, quality: number, tags: ImageTags): Promise<Blob>;
}
