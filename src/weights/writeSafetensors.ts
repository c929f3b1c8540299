import { CrispenError } from '../errors.ts';
import { LENGTH_BYTES, METADATA } from './safetensors.ts';
import { DTYPE_BYTES, elementCount, type TensorMap } from './tensor.ts';

/**
 * Writes a safetensors file. Tensors are sorted by element size, from largest to smallest. Tensors
 * with the same element size keep their order in `tensors`. The header is padded to a multiple of 8
 * bytes, so every tensor starts at a multiple of its element size.
 * @throws CrispenError `INVALID_INPUT` if a tensor has too many or too few bytes for its shape, or
 *   if it is named `__metadata__`.
 */
export function writeSafetensors(
  tensors: TensorMap,
  metadata: Record<string, string> = {},
): Uint8Array<ArrayBuffer> {
  const ordered = [...tensors].sort(([, a], [, b]) => DTYPE_BYTES[b.dtype] - DTYPE_BYTES[a.dtype]);
  const entries: [string, unknown][] = [];
  if (Object.keys(metadata).length > 0) entries.push([METADATA, metadata]);
  let size = 0;
  for (const [name, { dtype, shape, bytes }] of ordered) {
    if (name === METADATA) {
      throw new CrispenError('INVALID_INPUT', `A tensor cannot be called ${METADATA}.`);
    }
    const expected = elementCount(shape) * DTYPE_BYTES[dtype];
    if (bytes.length !== expected) {
      throw new CrispenError(
        'INVALID_INPUT',
        `Tensor "${name}" of ${dtype} [${shape}] takes ${expected} bytes, not ${bytes.length}.`,
      );
    }
    const offsets = [size, size + bytes.length];
    entries.push([name, { dtype: dtype.toUpperCase(), shape, data_offsets: offsets }]);
    size += bytes.length;
  }
  // `fromEntries` defines properties instead of assigning them, so a tensor called `__proto__` is
  // harmless.
  const json = new TextEncoder().encode(JSON.stringify(Object.fromEntries(entries)));
  const headerLength = Math.ceil(json.length / 8) * 8;
  const file = new Uint8Array(LENGTH_BYTES + headerLength + size);
  new DataView(file.buffer).setBigUint64(0, BigInt(headerLength), true);
  file.set(json, LENGTH_BYTES);
  let at = LENGTH_BYTES + headerLength;
  file.fill(0x20, LENGTH_BYTES + json.length, at);
  for (const [, { bytes }] of ordered) {
    file.set(bytes, at);
    at += bytes.length;
  }
  return file;
}
