import { CrispenError } from '../../errors.ts';
import type { Size } from '../../geometry.ts';
import { type Depth, type RgbaImage, samplesOf } from '../../image/image.ts';

/** Assembles an image from its rows. */
export class WholeImage {
  readonly image: RgbaImage;
  #at = 0;

  /**
   * @param of describes the image before it is enlarged by `scale`
   * @throws CrispenError `OUT_OF_MEMORY`
   */
  constructor(of: Size & { readonly depth: Depth }, scale: number) {
    const [width, height] = [of.width * scale, of.height * scale];
    try {
      this.image = { width, height, data: samplesOf(of.depth, width * height) } as RgbaImage;
    } catch (cause) {
      throw new CrispenError('OUT_OF_MEMORY', `No memory for an image of ${width} x ${height}.`, {
        hint: 'Choose a smaller image or scale.',
        cause,
      });
    }
  }

  add(rows: RgbaImage['data']): void {
    this.image.data.set(rows, this.#at);
    this.#at += rows.length;
  }
}
