/**
 * A GPU on which one call fails, implemented as proxies for a driver's objects. The fault sweep
 * (sweep.ts) and tests of single faults use it.
 */

/** The ways in which a call can fail. */
export type Mode =
  | 'throw'
  | 'reject'
  /** The promise never settles. */
  | 'never'
  | 'null'
  /** The device is lost just before the call. */
  | 'loss'
  /**
   * One of the driver's devices is really lost. Creating devices is slow, so this mode is used for
   * only a few calls.
   */
  | 'real-loss'
  /** `mapAsync` rejects as if the device were lost, and `lost` settles a little later. */
  | 'lost-later'
  /** The error is reported to error scopes, and nothing is written or submitted. */
  | 'out-of-memory'
  | 'validation'
  | 'internal'
  /** The call does nothing and reports no error. */
  | 'dropped'
  /** The data that the call writes or reads is replaced. */
  | 'zeros'
  | 'nan'
  | 'ones'
  | 'garbage'
  | 'short'
  | 'empty';

export interface Fault {
  /** The name of the call, such as `GPUDevice.createBuffer`. */
  readonly call: string;
  /** The failing call's index among the calls with this name, from 0. */
  readonly index: number;
  readonly mode: Mode;
}

/** A call that was made. */
export interface Call {
  readonly call: string;
  readonly index: number;
  /** The caller as `src/FILE:LINE METHOD`. Empty if the test itself makes the call. */
  readonly site: string;
  /** The number of error scopes that were open. */
  readonly scopes: number;
}

const RUNNING: readonly Mode[] = ['throw', 'loss', 'real-loss'];
const MAKING: readonly Mode[] = ['throw', 'validation', 'internal', 'loss', 'real-loss'];
const ALLOCATING: readonly Mode[] = [...MAKING, 'out-of-memory'];
const WAITING: readonly Mode[] = ['reject', 'never', 'loss', 'real-loss'];

/** The calls that can fail, by interface, and the ways in which they can fail. */
const MODES: Readonly<Record<string, Readonly<Record<string, readonly Mode[]>>>> = {
  GPU: { requestAdapter: ['reject', 'never', 'null'] },
  GPUAdapter: { requestDevice: WAITING },
  GPUDevice: {
    createBuffer: ALLOCATING,
    createTexture: ALLOCATING,
    createQuerySet: ALLOCATING,
    createBindGroupLayout: MAKING,
    createPipelineLayout: MAKING,
    createBindGroup: MAKING,
    createShaderModule: MAKING,
    createCommandEncoder: MAKING,
    createComputePipelineAsync: ['throw', ...WAITING],
    pushErrorScope: RUNNING,
    popErrorScope: ['throw', ...WAITING],
    addEventListener: RUNNING,
    destroy: ['loss'],
  },
  GPUQueue: {
    submit: [...ALLOCATING, 'dropped'],
    writeBuffer: [...ALLOCATING, 'dropped', 'zeros', 'nan'],
    onSubmittedWorkDone: WAITING,
  },
  GPUBuffer: {
    mapAsync: ['throw', 'validation', 'lost-later', ...WAITING],
    getMappedRange: ['throw', 'loss', 'zeros', 'nan', 'ones', 'garbage', 'short', 'empty'],
    unmap: RUNNING,
    destroy: ['loss'],
  },
  GPUTexture: { createView: MAKING, destroy: ['loss'] },
  GPUQuerySet: { destroy: ['loss'] },
  GPUShaderModule: { getCompilationInfo: WAITING },
  GPUComputePipeline: { getBindGroupLayout: RUNNING },
  GPUCommandEncoder: {
    beginComputePass: MAKING,
    copyBufferToBuffer: MAKING,
    copyTextureToBuffer: MAKING,
    copyTextureToTexture: MAKING,
    clearBuffer: MAKING,
    resolveQuerySet: MAKING,
    finish: MAKING,
  },
  GPUComputePassEncoder: {
    setPipeline: MAKING,
    setBindGroup: MAKING,
    dispatchWorkgroups: MAKING,
    end: MAKING,
  },
  GPUCanvasContext: { configure: RUNNING, getCurrentTexture: RUNNING },
};

export function modesOf(call: string): readonly Mode[] {
  const [owner, method] = call.split('.');
  return MODES[owner]?.[method] ?? [];
}

interface Scope {
  readonly filter: string;
  error: GPUError | null;
}

/** The state that the proxies store for a device, in addition to the driver's state. */
interface DeviceState {
  readonly real: GPUDevice;
  readonly scopes: Scope[];
  readonly listeners: Set<(event: { readonly error: GPUError }) => void>;
  readonly lost: Promise<GPUDeviceLostInfo>;
  readonly lose: () => void;
  isLost: boolean;
}

/** An original method, bound to the driver's object. */
type Original = (args: readonly unknown[]) => unknown;

/**
 * A real device that many faults share, with its compiled pipelines, because compilation takes far
 * longer than everything else here. Faults that lose a device use a separate device.
 */
class SharedDevice {
  readonly device: GPUDevice;
  readonly pipelines = new Map<string, Promise<GPUComputePipeline>>();

  constructor(device: GPUDevice) {
    this.device = device;
  }
}
const shared = new Map<string, Promise<SharedDevice>>();
const codes = new WeakMap<object, string>();

const reals = new WeakMap<object, object>();

/** Replaces proxies in arguments with the driver's objects. */
function unwrapped(value: unknown): unknown {
  if (value === null || typeof value !== 'object' || ArrayBuffer.isView(value)) return value;
  const real = reals.get(value);
  if (real) return real;
  if (Array.isArray(value)) return value.map(unwrapped);
  if (Object.getPrototypeOf(value) !== Object.prototype) return value;
  return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, unwrapped(part)]));
}

/** Wraps a GPU, counts its calls, and makes one of them fail once. */
export class FaultyGpu {
  readonly gpu: GPU;
  /** All calls so far. */
  readonly calls: Call[] = [];
  /** Whether the fault has occurred. */
  fired = false;
  /** Errors that no scope has caught. */
  readonly uncaught: string[] = [];
  #fault: Fault | null;
  readonly #isPolled: boolean;
  readonly #counts = new Map<string, number>();
  #counting = true;

  /**
   * @param isPolled whether the adapter behaves like a browser that polls the driver only now and
   *   then
   */
  constructor(gpu: GPU, fault: Fault | null, isPolled = false) {
    this.#fault = fault;
    this.#isPolled = isPolled;
    this.gpu = this.#wrap(gpu, 'GPU', null);
  }

  /** Stops injecting faults. */
  disarm(): void {
    this.#fault = null;
  }

  /** Runs the test's own calls, which are neither counted nor made to fail. */
  outside<T>(work: () => T): T {
    this.#counting = false;
    try {
      return work();
    } finally {
      this.#counting = true;
    }
  }

  /** Wraps an object that the test itself created. */
  adopt<T extends object>(made: T, owner: string): T {
    return this.#wrap(made, owner, null);
  }

  #wrap<T extends object>(real: T, owner: string, state: DeviceState | null): T {
    const own = owner === 'GPUDevice' ? this.#deviceState(real as unknown as GPUDevice) : state;
    const known = new Map<PropertyKey, unknown>();
    const proxy = new Proxy(real, {
      get: (_, name) => {
        if (!known.has(name)) {
          const value = this.#property(real, owner, name, own);
          if (typeof value !== 'function' && name !== 'queue') return value;
          known.set(name, value);
        }
        return known.get(name);
      },
      set: (_, name, value) => Reflect.set(real, name, value),
    });
    reals.set(proxy, real);
    return proxy;
  }

  #property(real: object, owner: string, name: PropertyKey, state: DeviceState | null): unknown {
    if (owner === 'GPUDevice' && state) {
      if (name === 'lost') return state.lost;
      if (name === 'destroy') return this.#method(owner, 'destroy', state, () => state.lose());
      if (name === 'addEventListener') {
        return this.#method(owner, 'addEventListener', state, ([type, listener]) => {
          if (type === 'uncapturederror') state.listeners.add(listener as never);
        });
      }
      if (name === 'queue') return this.#wrap((real as GPUDevice).queue, 'GPUQueue', state);
    }
    const value = Reflect.get(real, name);
    if (typeof value !== 'function') return this.#shown(owner, name, value);
    const original: Original = (args) => Reflect.apply(value, real, args.map(unwrapped));
    const cached = this.#cached(`${owner}.${String(name)}`, original, state) ?? original;
    return this.#method(owner, String(name), state, cached);
  }

  /**
   * Hides most features. Subgroups, for example, would double the kernel variants without any other
   * WebGPU call.
   */
  #shown(owner: string, name: PropertyKey, value: unknown): unknown {
    if (owner === 'GPUAdapter' && name === 'info' && this.#isPolled) return {};
    if (owner !== 'GPUAdapter' || name !== 'features') return value;
    return new Set([...(value as GPUSupportedFeatures)].filter((f) => f === 'timestamp-query'));
  }

  #method(owner: string, name: string, state: DeviceState | null, original: Original) {
    return (...args: unknown[]) => this.#call(owner, name, state, args, original);
  }

  /**
   * Returns a version of a call that reuses the shared device's results. Null if the call is not
   * shared.
   */
  #cached(call: string, original: Original, state: DeviceState | null): Original | null {
    if (call === 'GPUAdapter.requestDevice' && !(this.#loses() && !this.fired)) {
      return async (args) => {
        const key = JSON.stringify(args);
        const made = shared.get(key) ?? sharedBy(original(args) as Promise<GPUDevice>);
        shared.set(key, made);
        return (await made).device;
      };
    }
    if (call === 'GPUDevice.createShaderModule') {
      return (args) => {
        const made = original(args) as object;
        codes.set(made, (args[0] as GPUShaderModuleDescriptor).code);
        return made;
      };
    }
    if (call !== 'GPUDevice.createComputePipelineAsync') return null;
    return async (args) => {
      const pool = [...(await Promise.all(shared.values()))].find(
        ({ device }) => device === state?.real,
      );
      const { label = '', compute, layout } = args[0] as GPUComputePipelineDescriptor;
      const code = codes.get(reals.get(compute.module) as object);
      const key = `${label} ${layout === 'auto'} ${code}`;
      const made = pool?.pipelines.get(key) ?? (original(args) as Promise<GPUComputePipeline>);
      pool?.pipelines.set(key, made);
      return made;
    };
  }

  /** Whether the fault loses a real device, which must therefore not be shared. */
  #loses(): boolean {
    return this.#fault?.mode === 'real-loss';
  }

  #deviceState(real: GPUDevice): DeviceState {
    const isShared = !this.#loses() || this.fired;
    const state = { real, scopes: [], listeners: new Set(), isLost: false } as Pick<
      DeviceState,
      'real' | 'scopes' | 'listeners' | 'isLost'
    >;
    let lose!: () => void;
    const lost = new Promise<GPUDeviceLostInfo>((resolve) => {
      lose = () => {
        if (!isShared) real.destroy();
        made.isLost = true;
        resolve({ reason: 'destroyed', message: 'injected' } as GPUDeviceLostInfo);
      };
      void real.lost.then(resolve);
    });
    const made: DeviceState = Object.assign(state, { lost, lose });
    return made;
  }

  #call(
    owner: string,
    method: string,
    state: DeviceState | null,
    args: readonly unknown[],
    original: Original,
  ): unknown {
    const call = `${owner}.${method}`;
    const normally = (): unknown => {
      if (call === 'GPUDevice.pushErrorScope') {
        state?.scopes.push({ filter: String(args[0]), error: null });
      }
      if (call === 'GPUBuffer.mapAsync' && state) return mapped(state, original(args));
      if (call === 'GPUBuffer.getMappedRange' && state?.isLost) {
        throw new DOMException('', 'OperationError');
      }
      if (call === 'GPUQueue.onSubmittedWorkDone' && this.#isPolled) {
        return (original(args) as Promise<unknown>).then(() => sleep(POLLED_MS));
      }
      if (call !== 'GPUDevice.popErrorScope') return original(args);
      const injected = state?.scopes.pop()?.error ?? null;
      return (original(args) as Promise<unknown>).then((error) => injected ?? error);
    };
    const made = (value: unknown) => this.#made(value, state);
    if (!this.#counting || !MODES[owner]?.[method]) return made(normally());
    const index = this.#counts.get(call) ?? 0;
    this.#counts.set(call, index + 1);
    this.calls.push({ call, index, site: siteOf(method), scopes: state?.scopes.length ?? 0 });
    const fault = this.#fault;
    if (this.fired || fault?.call !== call || fault.index !== index) return made(normally());
    this.fired = true;
    return made(this.#fail(fault.mode, call, state, args, original, normally));
  }

  /** Returns a call's result, in which GPU objects are wrapped. */
  #made(value: unknown, state: DeviceState | null): unknown {
    if (value instanceof Promise) return value.then((settled) => this.#made(settled, state));
    if (value === null || typeof value !== 'object') return value;
    const kind = value.constructor.name;
    return kind in MODES && !reals.has(value) ? this.#wrap(value, kind, state) : value;
  }

  #fail(
    mode: Mode,
    call: string,
    state: DeviceState | null,
    args: readonly unknown[],
    original: Original,
    normally: () => unknown,
  ): unknown {
    const message = `injected at ${call}`;
    switch (mode) {
      case 'throw':
        throw new TypeError(message);
      case 'reject':
        if (call === 'GPUDevice.popErrorScope') state?.scopes.pop();
        return Promise.reject(new DOMException(message, 'OperationError'));
      case 'never':
        return new Promise(() => {});
      case 'null':
        return Promise.resolve(null);
      case 'loss':
      case 'real-loss': {
        if (call !== 'GPUAdapter.requestDevice') {
          state?.lose();
          return normally();
        }
        return (original(args) as Promise<GPUDevice>).then((device) => {
          const made = this.#wrap(device, 'GPUDevice', null);
          made.destroy();
          return made;
        });
      }
      case 'lost-later':
        setTimeout(() => state?.lose(), 30);
        return Promise.reject(new DOMException(message, 'AbortError'));
      case 'out-of-memory':
      case 'validation':
      case 'internal':
        this.#report(state, mode, message);
        if (call === 'GPUBuffer.mapAsync') {
          return Promise.reject(new DOMException(message, 'OperationError'));
        }
        return /writeBuffer|submit$/.test(call) ? undefined : normally();
      case 'dropped':
        return undefined;
      default:
        return call.endsWith('writeBuffer')
          ? original(replaced(args, mode))
          : corrupted(normally() as ArrayBuffer, mode);
    }
  }

  /** Reports an error to the innermost scope that catches it, or else to the device's listeners. */
  #report(state: DeviceState | null, filter: string, message: string): void {
    const error = { message } as GPUError;
    const scope = state?.scopes.findLast((open) => open.filter === filter);
    if (scope) scope.error ??= error;
    else {
      this.uncaught.push(message);
      for (const listener of state?.listeners ?? []) listener({ error });
    }
  }
}

/**
 * How long a simulated polled queue takes. This exceeds the engine's limit for recognising one
 * (src/engine/gpu/polling.ts).
 */
const POLLED_MS = 60;
const sleep = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

/** Returns a mapping that rejects when the device is lost. */
function mapped({ isLost, lost }: DeviceState, mapping: unknown): Promise<unknown> {
  const gone = () => {
    throw new DOMException('A valid external Instance reference no longer exists.', 'AbortError');
  };
  (mapping as Promise<unknown>).catch(() => {});
  return isLost ? Promise.resolve().then(gone) : Promise.race([mapping, lost.then(gone)]);
}

// GPUBufferUsage is a global only in browsers, so its values are repeated here.
const [UNIFORM, STORAGE] = [0x40, 0x80];

const sharedBy = async (made: Promise<GPUDevice>): Promise<SharedDevice> =>
  new SharedDevice(await made);

/** Returns the arguments for `writeBuffer` with different data of the same length. */
function replaced(args: readonly unknown[], mode: Mode): unknown[] {
  const [buffer, offset, data] = args as [GPUBuffer, unknown, ArrayBufferView | ArrayBuffer];
  const words = new Uint32Array(Math.floor(data.byteLength / 4));
  const { usage } = buffer;
  // Uniforms contain sizes. If a size were NaN, a kernel would loop for minutes, and all of a
  // software driver's devices would wait.
  if (mode === 'nan' && (usage & UNIFORM) > 0 && (usage & STORAGE) === 0) words.fill(1);
  else fill(words, mode);
  return [buffer, offset, words];
}

/** Returns corrupted content for a read. */
function corrupted(content: ArrayBuffer, mode: Mode): ArrayBuffer {
  if (mode === 'empty') return new ArrayBuffer(0);
  if (mode === 'short') return content.slice(0, Math.floor(content.byteLength / 8) * 4);
  const words = new Uint32Array(content.slice(0));
  fill(words, mode);
  return words.buffer;
}

function fill(words: Uint32Array, mode: Mode): void {
  let state = 12345;
  words.forEach((_, i) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    words[i] = { zeros: 0, nan: 0x7fc00000, ones: 0xffffffff }[mode as string] ?? state;
  });
}

/** The results of `siteOf`, by position in the running code. */
const sites = new Map<string, string>();

/**
 * Returns the position of a call in `src`. Source maps are slow, so each position is looked up only
 * once.
 */
function siteOf(method: string): string {
  const prepare = Error.prepareStackTrace;
  Error.prepareStackTrace = (_, frames) => frames;
  const frames = new Error().stack as unknown as NodeJS.CallSite[];
  Error.prepareStackTrace = prepare;
  const place = frames
    .map((frame) => `${frame.getScriptNameOrSourceURL()}:${frame.getPosition()}`)
    .find((text) => text.includes('/src/'));
  const key = `${place} ${method}`;
  const known = sites.get(key);
  if (known !== undefined) return known;
  const frame = /\/(src\/[^():?]+)(?:\?[^():]*)?:(\d+):\d+/.exec(new Error().stack ?? '');
  const site = frame ? `${frame[1]}:${frame[2]} ${method}` : '';
  sites.set(key, site);
  return site;
}
