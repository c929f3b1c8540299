import { CrispenError } from '../errors.ts';
import { type RgbaImage, type Samples, samplesOf } from './image.ts';
import { OneColour } from './oneColour.ts';

/** Full-width rows of a result. `y` is the index of the first row. */
type Rows = RgbaImage & { readonly y: number };

/**
 * The number of adjacent pixels whose average is compared with the result's colour. Single pixels
 * are not compared, because restoration can legitimately remove isolated pixels and noise.
 */
const RUN = 16;
/**
 * The largest permitted difference between the result's colour and the average of `RUN` pixels, as
 * a fraction of the full range of the samples.
 */
const FAR = 24 / 255;

/**
 * Rejects a result of a single colour if the image has several colours and at least one of them
 * differs clearly from the colour of the result. The cause of such a result can be a broken driver,
 * or weights that expect a different input range. Small differences in the image, such as noise,
 * are ignored.
 * @param image the network's input, which is opaque and has the same bit depth as the result
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

/**
 * Holds back the first rows of a result while all their pixels have the same colour, so that
 * `check` can reject the result if it contains no other colour. Only one pixel is stored.
 */
export class HeldRows {
  readonly #pixel: Samples;
  readonly #held: { readonly width: number; readonly height: number; readonly y: number }[] = [];

  constructor({ data }: RgbaImage) {
    this.#pixel = data.slice(0, 4);
  }

  /**
   * Adds rows. All their pixels must have the same colour as the rows that were given to the
   * constructor.
   */
  add({ width, height, y }: Rows): void {
    this.#held.push({ width, height, y });
  }

  /**
   * Applies `checkBlank` to a result that consists only of the added rows.
   * @param image the network's input, as in `checkBlank`
   * @throws CrispenError `BLANK_RESULT`
   */
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
