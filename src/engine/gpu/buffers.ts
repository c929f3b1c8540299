import type { Device } from './device.ts';
import type { Pace } from './pace.ts';

/** Creates a GPU buffer and adds it to a `Buffers` object, which later frees all its buffers. */
export type MakeBuffer = (label: string, bytes: number, usage: number) => GPUBuffer;

/**
 * The GPU buffers for one piece of work. They are created within error scopes and freed together.
 */
export class Buffers {
  readonly device: Device;
  readonly #made = new Set<GPUBuffer>();

  constructor(device: Device) {
    this.device = device;
  }

  /** The total size of the buffers in bytes. */
  get bytes(): number {
    return [...this.#made].reduce((sum, { size }) => sum + size, 0);
  }

  /**
   * Creates buffers within error scopes. If the device refuses a buffer, the whole set is freed.
   * @param what describes the allocation in the error's message
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

  /** Removes a buffer from the set. The caller must then free it. */
  release(buffer: GPUBuffer): GPUBuffer {
    this.#made.delete(buffer);
    return buffer;
  }

  destroy(): void {
    for (const buffer of this.#made) buffer.destroy();
    this.#made.clear();
  }
}

/**
 * Provides buffers for one piece of work. They are freed when the work ends, even after an error.
 */
export async function withBuffers<T>(
  device: Device,
  work: (buffers: Buffers) => Promise<T>,
  pace?: Pick<Pace, 'drain'>,
): Promise<T> {
  const buffers = new Buffers(device);
  try {
    return await work(buffers);
  } finally {
    // Waits for submitted GPU work, because it may still use the buffers.
    await pace?.drain();
    buffers.destroy();
  }
}
