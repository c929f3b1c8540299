/** Writes results to files. This module is loaded lazily. */
import { checkPixels, checkSides, encodeImage, type OutputType } from '../codecs/index.ts';
import { type Saved, save, savePng } from '../codecs/sink.ts';
import type { Size } from '../geometry.ts';
import type { Depth, Rgba8Image, RgbaImage } from '../image/image.ts';
import { isOpaque, makeGrey, toRgba8 } from '../image/pixels.ts';
import { Reduction } from '../image/reduce.ts';
import type { ImageTags } from '../image/tags.ts';
import type { WireTarget } from './protocol.ts';
import { blobSink, openTarget, spillFolder } from './sinks.ts';

/**
 * Receives the strips of a result from top to bottom. Each strip has the result's width and bit
 * depth.
 */
export type TakeStrip = (strip: RgbaImage) => Promise<void>;

export interface ResultRequest<R> {
  readonly input: RgbaImage;
  readonly size: Size;
  readonly depth: Depth;
  readonly output: OutputType;
  readonly quality: number;
  readonly tags: ImageTags;
  /** The target to write to; null to return a Blob. */
  readonly target: WireTarget | null;
  /** The longest side of the preview image; null for no preview image. */
  readonly preview: number | null;
  readonly lifeline: string | null;
  readonly signal: AbortSignal;
  readonly toBitmap: (image: Rgba8Image, tags: ImageTags) => Promise<ImageBitmap>;
  /** Computes the result and passes its strips to `take`. */
  readonly produce: (take: TakeStrip) => Promise<R>;
}

export interface WrittenResult<R> {
  readonly image: Blob | null;
  readonly bytes: number;
  readonly preview: ImageBitmap | null;
  readonly produced: R;
}

/**
 * Writes a result to a file. PNG is written strip by strip, so the whole image does not have to be
 * in memory. For other formats, the browser's encoder needs the whole image in memory.
 * @throws CrispenError `WRITE_FAILED` and `ABORTED`, and any error of `produce`. For formats other
 *   than PNG, `IMAGE_TOO_LARGE` and `ENCODE_FAILED` are possible too. After an error, no partial
 *   file is left behind.
 */
export async function writeResult<R>(request: ResultRequest<R>): Promise<WrittenResult<R>> {
  const { input, depth, output: type, quality, tags, target, signal, produce } = request;
  const { width, height } = request.size;
  const taking =
    (take: TakeStrip): TakeStrip =>
    async (strip) => {
      if (tags.grey) makeGrey(strip.data);
      small?.take(strip.data);
      await take(strip);
    };
  const small = request.preview === null ? null : new Reduction(width, height, request.preview);
  const written = async ({ bytes, file, produced }: Saved<Blob | null, R>) => {
    const preview = small && (await request.toBitmap(small.image, tags));
    return { image: file, bytes, preview, produced };
  };
  const open = () =>
    target ? openTarget(target) : blobSink(type, () => spillFolder(request.lifeline));
  if (type === 'image/png') {
    // An opaque image stays opaque when it is enlarged.
    const header = { width, height, alpha: !isOpaque(input.data), depth, tags };
    const saved = await savePng(
      header,
      open,
      (write) => produce(taking(({ data }) => write(data))),
      signal,
    );
    return written(saved);
  }
  checkPixels(width, height, 'The enlarged image');
  checkSides(type, width, height);
  const data = new Uint8ClampedArray(width * height * 4);
  let at = 0;
  const produced = await produce(
    taking(async (strip) => {
      data.set(toRgba8(strip).data, at);
      at += strip.data.length;
    }),
  );
  const blob = await encodeImage({ width, height, data }, type, quality, tags);
  const saved = await save(open, (to) => blob.stream().pipeTo(to, { signal }));
  return written({ ...saved, produced });
}

export { encodeImage };
