/** Packs the rows of tables for GPU memory. Each row is padded to a multiple of four values. */
import { blocksOf } from '../kernel.ts';

/**
 * Packs [count][channels] values into [count][ceil(channels / 4)] vectors of four, with zeros for
 * absent channels.
 */
export function packRows(values: Float32Array, channels: number): Float32Array<ArrayBuffer> {
  const width = blocksOf(channels) * 4;
  const count = values.length / channels;
  const packed = new Float32Array(count * width);
  for (let i = 0; i < count; i++) {
    packed.set(values.subarray(i * channels, (i + 1) * channels), i * width);
  }
  return packed;
}

/** Reverses `packRows`. */
export function unpackRows(packed: Float32Array, channels: number): Float32Array<ArrayBuffer> {
  const width = blocksOf(channels) * 4;
  const count = packed.length / width;
  const values = new Float32Array(count * channels);
  for (let i = 0; i < count; i++) {
    values.set(packed.subarray(i * width, i * width + channels), i * channels);
  }
  return values;
}
