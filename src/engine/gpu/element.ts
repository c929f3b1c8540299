import type { ElementType } from '../../kernels/kernel.ts';
import { fromFloat32, toFloat32 } from '../../weights/convert.ts';

/** Encodes f32 values for a storage buffer with elements of type `element`. */
export const encodeElements = (
  values: Float32Array<ArrayBuffer>,
  element: ElementType,
): Float32Array<ArrayBuffer> | Uint8Array<ArrayBuffer> =>
  element === 'f32'
    ? values
    : (fromFloat32(values, [values.length], 'f16').bytes as Uint8Array<ArrayBuffer>);

/** Decodes a storage buffer with elements of type `element` to f32 values. */
export const decodeElements = (buffer: ArrayBuffer, element: ElementType): Float32Array =>
  element === 'f32'
    ? new Float32Array(buffer)
    : toFloat32({ dtype: 'f16', shape: [buffer.byteLength / 2], bytes: new Uint8Array(buffer) });
