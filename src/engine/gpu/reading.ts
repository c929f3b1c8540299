import { type Buffers, withBuffers } from './buffers.ts';
import { type Device, USAGE } from './device.ts';
import { Receipt, receiptBytes } from './receipt.ts';

const MARK_BYTES = 4;

/**
 * Submits GPU commands that are not part of a network's run, such as those for copying or resizing.
 * Each result is read back immediately, together with a receipt, which proves that the GPU did the
 * work (see `receipt.ts`).
 */
export class Reading {
  readonly #device: Device;
  readonly #staging: GPUBuffer;
  readonly #mark: GPUBuffer;

  private constructor(device: Device, staging: GPUBuffer, mark: GPUBuffer) {
    this.#device = device;
    this.#staging = staging;
    this.#mark = mark;
  }

  /**
   * @param buffers owns the new buffers
   * @param bytes the maximum size in bytes of a result and its receipt, not counting the mark
   * @throws CrispenError `OUT_OF_MEMORY`, `INTERNAL`, `DEVICE_LOST`
   */
  static async create(buffers: Buffers, bytes: number): Promise<Reading> {
    const { MAP_READ, COPY_DST, COPY_SRC } = USAGE;
    const [staging, mark] = await buffers.allocate('allocating what is read back', (make) => [
      make('staging', receiptBytes(bytes) + MARK_BYTES, MAP_READ | COPY_DST),
      make('mark', MARK_BYTES, COPY_SRC | COPY_DST),
    ]);
    return new Reading(buffers.device, staging, mark);
  }

  /**
   * Calls `encode` to record commands that copy `bytes` bytes to the start of the staging buffer,
   * and submits them. When the GPU is done, this method checks the receipt and calls `use` with the
   * buffer's content: the copied bytes, followed by the receipt.
   * @throws CrispenError `DEVICE_LOST` (also if the GPU did not do all of the work),
   *   `OUT_OF_MEMORY`, `INTERNAL`
   */
  async run<T>(
    what: string,
    bytes: number,
    encode: (encoder: GPUCommandEncoder, staging: GPUBuffer, receipt: Receipt) => void,
    use: (content: ArrayBuffer) => T,
  ): Promise<T> {
    const device = this.#device;
    const receipt = new Receipt(device, this.#staging, receiptBytes(bytes));
    await device.scoped(what, () => {
      const mark = Uint32Array.of(device.mark());
      device.gpu.queue.writeBuffer(this.#mark, 0, mark);
      const encoder = device.gpu.createCommandEncoder();
      encode(encoder, this.#staging, receipt);
      receipt.expect(encoder, this.#mark, 0, mark);
      device.gpu.queue.submit([encoder.finish()]);
    });
    return device.mapped(this.#staging, receipt.end, (content) => {
      receipt.check(content);
      return use(content);
    });
  }
}

/**
 * Reads back a buffer that has the usage `COPY_SRC`.
 * @throws CrispenError like `Reading.run`
 */
export const download = (device: Device, buffer: GPUBuffer, bytes: number): Promise<ArrayBuffer> =>
  withBuffers(device, async (buffers) => {
    const reading = await Reading.create(buffers, bytes);
    return reading.run(
      'reading back',
      bytes,
      (encoder, staging) => encoder.copyBufferToBuffer(buffer, 0, staging, 0, bytes),
      (content) => content.slice(0, bytes),
    );
  });

/** Data to write to a buffer, which must have the usages `COPY_DST` and `COPY_SRC`. */
export interface Upload {
  readonly buffer: GPUBuffer;
  /** The offset in bytes. The default is 0. */
  readonly offset?: number;
  /** The data, whose length must be a multiple of 4 bytes. */
  readonly data: ArrayBufferView;
}

/** The maximum number of bytes that are read back at a time. */
const PART_BYTES = 2 ** 24;

/**
 * Writes data to buffers and reads it back, because a driver that runs out of memory might drop
 * writes. The function is meant for data that is written once and used for a long time.
 * @param what describes the upload in the error's message
 * @throws CrispenError `OUT_OF_MEMORY`, `INTERNAL`, `DEVICE_LOST` (also if bytes did not arrive)
 */
export function upload(device: Device, what: string, uploads: readonly Upload[]): Promise<void> {
  const parts = uploads.flatMap(partsOf);
  const bytes = parts.reduce((sum, { data }) => sum + data.byteLength, 0);
  return withBuffers(device, async (buffers) => {
    const size = Math.min(bytes, PART_BYTES);
    const reading = await Reading.create(buffers, size);
    await device.scoped(what, () => {
      for (const { buffer, offset = 0, data } of uploads) {
        device.gpu.queue.writeBuffer(buffer, offset, data as ArrayBufferView<ArrayBuffer>);
      }
    });
    for (let next = 0; next < parts.length; ) {
      const encode = (encoder: GPUCommandEncoder, _: GPUBuffer, receipt: Receipt) => {
        do {
          const { buffer, offset = 0, data } = parts[next];
          receipt.expect(encoder, buffer, offset, data);
          next++;
        } while (next < parts.length && receipt.end + parts[next].data.byteLength <= size);
      };
      await reading.run(what, 0, encode, () => {});
    }
  });
}

function partsOf({ buffer, offset = 0, data }: Upload): Upload[] {
  const count = Math.ceil(data.byteLength / PART_BYTES);
  return Array.from({ length: count }, (_, i) => {
    const at = i * PART_BYTES;
    const length = Math.min(PART_BYTES, data.byteLength - at);
    return {
      buffer,
      offset: offset + at,
      data: new Uint8Array(data.buffer, data.byteOffset + at, length),
    };
  });
}
