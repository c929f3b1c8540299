import type { Device } from './device.ts';
import type { Pace } from './pace.ts';

/** Makes a buffer of a set. */
export type MakeBuffer = (label: string, bytes: number, usage: number) => GPUBuffer;

/** GPU buffers for one piece of work. They are made within error scopes and freed together. */
export class Buffers {
  readonly device: Device;
  readonly #made = new Set<GPUBuffer>();

  constructor(device: Device) {
    this.device = device;
  }

  /** The total size. */
  get bytes(): number {
    return [...this.#made].reduce((sum, { size }) => sum + size, 0);
  }

  /**
   * Makes buffers within error scopes. If one is refused, the whole set is freed.
   * @param what for the error's message
   * @throws CrispenError `OUT_OF_MEMORY`, `INTERNAL`, `DEVICE_LOST`
   */
  async allocate<T>(what: string, make: (buffer: MakeBuffer) => T): Promise<T> {
    try {
      return await this.device.scoped(what, () =>
        make((label, bytes, usage) => {
          const buffer = this.device.buffer(label, bytes, usage);
          this.#made.add(buffer);
          return buffer;
        }),
      );
    } catch (error) {
      this.destroy();
      throw error;
    }
  }

  /** Takes a buffer out of the set. The caller must free it. */
  release(buffer: GPUBuffer): GPUBuffer {
    this.#made.delete(buffer);
    return buffer;
  }

  destroy(): void {
    for (const buffer of this.#made) buffer.destroy();
    this.#made.clear();
  }
}

/** Lends buffers for one piece of work. They are freed when it ends, even after an error. */
export async function withBuffers<T>(
  device: Device,
  work: (buffers: Buffers) => Promise<T>,
  pace?: Pick<Pace, 'drain'>,
): Promise<T> {
  const buffers = new Buffers(device);
  try {
    return await work(buffers);
  } finally {
    // Submissions in flight still use them.
    await pace?.drain();
    buffers.destroy();
  }
}
