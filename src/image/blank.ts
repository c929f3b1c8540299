import { CrispenError } from '../errors.ts';
import { type RgbaImage, type Samples, samplesOf } from './image.ts';
import { OneColour } from './oneColour.ts';

/** Full-width rows of a result, and the row at which they begin. */
type Rows = RgbaImage & { readonly y: number };

/**
 * Pixels side by side that are averaged, because restoration may remove single pixels and noise.
 */
const RUN = 16;
/** The largest distance of the result from that mean, as a share of the range. */
const FAR = 24 / 255;

/**
 * Rejects a result of one colour that cannot come from the image, because the image has a different
 * colour somewhere. Broken drivers and weights for another input range cause such results. Parts of
 * the image that are close to the result's colour, such as noise, do not count as different.
 * @param image the network's input: opaque, of the result's depth
 * @throws CrispenError `BLANK_RESULT`
 */
export function checkBlank({ width, height, data }: RgbaImage, colour: Samples): void {
  const top = data instanceof Uint16Array ? 65535 : 255;
  const one = new OneColour();
  one.add(data);
  if (one.colour) return;
  const count = Math.min(RUN, width);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x += RUN) {
      const first = y * width + Math.min(x, width - count);
      for (let c = 0; c < 3; c++) {
        let sum = 0;
        for (let i = first; i < first + count; i++) sum += data[i * 4 + c];
        if (Math.abs(sum / count - colour[c]) > FAR * top) throw blankResult(colour);
      }
    }
  }
}

/** Rows of one colour, held back until another colour or the end arrives. They take no memory. */
export class HeldRows {
  readonly #pixel: Samples;
  readonly #held: { readonly width: number; readonly height: number; readonly y: number }[] = [];

  constructor({ data }: RgbaImage) {
    this.#pixel = data.slice(0, 4);
  }

  /** Adds rows whose pixels all equal the first pixel. */
  add({ width, height, y }: Rows): void {
    this.#held.push({ width, height, y });
  }

  /** @throws CrispenError `BLANK_RESULT` like `checkBlank`, if these are all rows of the result */
  check(image: RgbaImage): void {
    checkBlank(image, this.#pixel.slice(0, 3));
  }

  /** Returns the added rows, from top to bottom. */
  *strips(): Generator<Rows> {
    for (const { width, height, y } of this.#held) {
      const data = samplesOf(this.#pixel instanceof Uint16Array ? 16 : 8, width * height);
      for (let i = 0; i < data.length; i += 4) data.set(this.#pixel, i);
      yield { width, height, data, y } as Rows;
    }
  }
}

const blankResult = (colour: Samples): CrispenError =>
  new CrispenError(
    'BLANK_RESULT',
    `The network made one colour of the whole image (${colour.join(', ')}).`,
    {
      hint: 'The weights may be damaged, or may expect another input range (0..1 or 0..255). If other models do the same, the graphics driver is broken.',
    },
  );
