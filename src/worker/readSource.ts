/**
 * Decodes the image source that the page sent. If the source is a URL, the image is fetched first.
 */
import { decodeImage } from '../codecs/decode.ts';
import type { Carrier } from '../codecs/source.ts';
import type { DecodedImage } from '../image/tags.ts';
import type { WireSource } from './protocol.ts';

export async function readSource(
  source: WireSource,
  carrier: Carrier,
  signal: AbortSignal,
): Promise<DecodedImage> {
  if (source.kind === 'blob') return decodeImage(source.blob, carrier, signal);
  if (source.kind === 'bitmap') return decodeImage(source.bitmap);
  if (source.kind === 'pixels') return decodeImage(source.image);
  if (source.kind === 'mosaic') {
    return decodeImage((await import('../image/bayer.ts')).demosaicBilinear(source.mosaic));
  }
  const { fetchImage } = await import('./fetchImage.ts');
  return decodeImage(await fetchImage(source.url, signal), carrier, signal);
}
