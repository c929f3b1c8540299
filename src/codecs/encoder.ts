import type { RgbaImage } from '../image/image.ts';
import type { ImageTags } from '../image/tags.ts';

/**
 * The encoder for one output format. `index.ts` lists all encoders.
 * @param image an image; 16-bit samples are rounded if the format does not support them
 * @param quality 0 to 1; ignored by lossless formats
 * @param tags the tags, which are written unchanged; the caller must remove private metadata first
 * @throws CrispenError `ENCODE_FAILED`
 */
export type Encoder = (image: RgbaImage, quality: number, tags: ImageTags) => Promise<Blob>;
