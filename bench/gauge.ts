/**
 * Counts the dispatches and the bytes in buffers and textures for all WebGPU work in this realm. It
 * must wrap the prototypes before any device is created.
 */

/** The classes to wrap: the browser's globals, or the exports of the npm package `webgpu`. */
export interface GpuClasses {
  readonly GPUAdapter: { readonly prototype: GPUAdapter };
  readonly GPUDevice: { readonly prototype: GPUDevice };
  readonly GPUBuffer: { readonly prototype: GPUBuffer };
  readonly GPUTexture: { readonly prototype: GPUTexture };
  readonly GPUComputePassEncoder: { readonly prototype: GPUComputePassEncoder };
}

interface Account {
  held: number;
  peak: number;
}

export class GpuGauge {
  /**
   * All of a device's resources count for the owner that was current when the device was created.
   */
  readonly #accounts = new Map<string, Account>();
  readonly #owners = new WeakMap<GPUDevice, Account>();
  readonly #sizes = new WeakMap<object, { account: Account; bytes: number }>();
  /**
   * Each device's resources, which are subtracted when the device is destroyed. The map is weak,
   * because an engine can leave a device to the garbage collector.
   */
  readonly #contents = new WeakMap<GPUDevice, Set<WeakRef<object>>>();
  #current = 'nobody';
  #dispatches = 0;

  constructor(classes: GpuClasses) {
    const gauge = this;
    wrap(classes.GPUAdapter.prototype, 'requestDevice', (original) => {
      return async function (this: GPUAdapter, ...args) {
        const device = await original.apply(this, args);
        gauge.#owners.set(device, gauge.#account(gauge.#current));
        gauge.#contents.set(device, new Set());
        return device;
      };
    });
    wrap(classes.GPUDevice.prototype, 'createBuffer', (original) => {
      return function (this: GPUDevice, descriptor) {
        return gauge.#made(this, original.call(this, descriptor), descriptor.size);
      };
    });
    wrap(classes.GPUDevice.prototype, 'createTexture', (original) => {
      return function (this: GPUDevice, descriptor) {
        const texture = original.call(this, descriptor);
        return gauge.#made(this, texture, textureBytes(texture));
      };
    });
    wrap(classes.GPUDevice.prototype, 'destroy', (original) => {
      return function (this: GPUDevice) {
        for (const item of gauge.#contents.get(this) ?? []) gauge.#gone(item.deref());
        return original.call(this);
      };
    });
    for (const { prototype } of [classes.GPUBuffer, classes.GPUTexture]) {
      wrap(prototype as GPUBuffer, 'destroy', (original) => {
        return function (this: GPUBuffer) {
          gauge.#gone(this);
          return original.call(this);
        };
      });
    }
    for (const name of ['dispatchWorkgroups', 'dispatchWorkgroupsIndirect'] as const) {
      wrap(classes.GPUComputePassEncoder.prototype, name, (original) => {
        return function (this: GPUComputePassEncoder, ...args: never[]) {
          gauge.#dispatches++;
          return (original as (...args: never[]) => undefined).apply(this, args);
        };
      });
    }
  }

  /**
   * After this call, new devices belong to `owner`. Its peak starts at the number of bytes that it
   * currently holds.
   */
  begin(owner: string): void {
    this.#current = owner;
    const account = this.#account(owner);
    account.peak = account.held;
    this.#dispatches = 0;
  }

  /** Returns the bytes that `owner` currently holds, and the maximum since `begin`. */
  memory(owner: string): Readonly<Account> {
    return { ...this.#account(owner) };
  }

  /** Returns the number of dispatches that were encoded since the last call. */
  takeDispatches(): number {
    const count = this.#dispatches;
    this.#dispatches = 0;
    return count;
  }

  #account(owner: string): Account {
    let account = this.#accounts.get(owner);
    if (!account) {
      account = { held: 0, peak: 0 };
      this.#accounts.set(owner, account);
    }
    return account;
  }

  #made<T extends object>(device: GPUDevice, item: T, bytes: number): T {
    const account = this.#owners.get(device) ?? this.#account('nobody');
    account.held += bytes;
    account.peak = Math.max(account.peak, account.held);
    this.#sizes.set(item, { account, bytes });
    this.#contents.get(device)?.add(new WeakRef(item));
    return item;
  }

  #gone(item: object | undefined): void {
    const size = item && this.#sizes.get(item);
    if (!size) return;
    this.#sizes.delete(item);
    size.account.held -= size.bytes;
  }
}

function wrap<T extends object, K extends keyof T>(
  prototype: T,
  name: K,
  wrapper: (original: T[K]) => T[K],
): void {
  prototype[name] = wrapper(prototype[name]);
}

/**
 * Returns a texture's size. The size is exact for the formats that compute backends use: 8, 16 or
 * 32 bits in 1, 2 or 4 channels.
 */
function textureBytes({ format, width, height, depthOrArrayLayers }: GPUTexture): number {
  const [, channels, bits] = /^([a-z]+?)(\d+)/.exec(format) ?? [];
  const perTexel = ((channels?.length ?? 4) * Number(bits ?? 8)) / 8;
  return perTexel * width * height * depthOrArrayLayers;
}
