import type { Device } from './device.ts';

/**
 * Returns the space in bytes that data of length `bytes` takes up in a receipt. It is a multiple of
 * 4, because only whole words can be copied.
 */
export const receiptBytes = (bytes: number): number => Math.ceil(bytes / 4) * 4;

/**
 * Proves that the GPU did its work. Marks (see `Device.mark`) and uploaded bytes are copied from
 * GPU buffers to the end of a readback buffer and must match the values that the caller expects.
 * Marks differ from run to run. If a submission or an upload was silently dropped, the copied bytes
 * do not match the expected values.
 */
export class Receipt {
  readonly #device: Device;
  readonly #buffer: GPUBuffer;
  readonly #expected: { readonly at: number; readonly data: Uint8Array }[] = [];
  #end: number;

  /**
   * @param buffer must have the usage `MAP_READ | COPY_DST`
   * @param start the byte offset of the receipt in the buffer, a multiple of 4
   */
  constructor(device: Device, buffer: GPUBuffer, start: number) {
    this.#device = device;
    this.#buffer = buffer;
    this.#end = start;
  }

  /** The number of bytes from the start of the buffer to the end of the receipt. */
  get end(): number {
    return this.#end;
  }

  /** Copies bytes from a GPU buffer into the receipt. They must equal `data`. */
  expect(encoder: GPUCommandEncoder, from: GPUBuffer, offset: number, data: ArrayBufferView): void {
    const bytes = receiptBytes(data.byteLength);
    encoder.copyBufferToBuffer(from, offset, this.#buffer, this.#end, bytes);
    const { buffer, byteOffset, byteLength } = data;
    this.#expected.push({ at: this.#end, data: new Uint8Array(buffer, byteOffset, byteLength) });
    this.#end += bytes;
  }

  /**
   * Compares the receipt with the expected bytes.
   * @param content the content of the buffer, from its start
   * @throws CrispenError `DEVICE_LOST` if any byte differs; the device is then abandoned
   */
  check(content: ArrayBuffer): void {
    for (const { at, data } of this.#expected) {
      if (!sameBytes(new Uint8Array(content, at, data.length), data)) {
        throw this.#device.broken('did not do all of its work');
      }
    }
  }
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  const isAligned = (a.byteOffset | b.byteOffset | a.length) % 4 === 0;
  const [x, y] = isAligned ? [wordsOf(a), wordsOf(b)] : [a, b];
  for (let i = 0; i < x.length; i++) if (x[i] !== y[i]) return false;
  return true;
}

const wordsOf = ({ buffer, byteOffset, length }: Uint8Array): Uint32Array =>
  new Uint32Array(buffer, byteOffset, length / 4);
