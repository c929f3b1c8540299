/**
 * Threads without shared memory. Each has the model in its own memory and computes tiles. This is
 * the host's side; `serve.ts` is the threads'.
 */
import type { ValueId } from '../engine/compile/fused.ts';
import { CrispenError, type SerializedError, throwIfAborted } from '../errors.ts';
import type { Rect, Size } from '../geometry.ts';
import type { RgbaImage } from '../image/image.ts';
import type { Network } from '../networks/network.ts';
import type { TensorMap } from '../weights/tensor.ts';
import { type Band, type Means, meansOf, type RowSums } from './compile.ts';
import type { Packing } from './pixels.ts';
import type { RunChoice } from './runner.ts';

/** Computes tiles of a model: the model itself, or a copy of it in another thread. */
export interface TileRunner {
  /** Like `CpuModel.run`. */
  run(
    source: RgbaImage,
    size: Size,
    packing: Omit<Packing, 'source' | 'scale'>,
    options?: RunChoice,
  ): Promise<boolean>;
}

type Vector = Float32Array<ArrayBuffer>;

/** A message to a thread, which processes them in order. */
export type Request =
  | { readonly load: number; readonly network: Network; readonly tensors: TensorMap }
  | { readonly drop: number }
  | {
      readonly run: number;
      readonly source: RgbaImage;
      readonly size: Size;
      readonly core: Rect;
      readonly given: Means['given'];
      readonly band: Pick<Band, 'from' | 'to'> | null;
    }
  /** Answers `sums`. */
  | { readonly mean: Vector }
  | { readonly cancel: true };

/** A thread's answer. `load` and `drop` have none; the next `run` reports their failure. */
export type Reply =
  | { readonly ready: true }
  | { readonly work: number }
  | { readonly sums: RowSums; readonly id: ValueId }
  | { readonly done: boolean; readonly data: RgbaImage['data'] }
  | { readonly error: SerializedError };

/** The parts of the platform's ports and workers that are used here. */
export interface Port {
  postMessage(message: unknown, transfer: ArrayBuffer[]): void;
  onmessage: ((event: MessageEvent) => void) | null;
}

/** Makes a thread that serves the other end of the port; null if that failed. */
export type StartThread = () => Promise<Port | null>;

/** Threads that hold the same models. */
export class Team {
  readonly #threads: Promise<TileThread[]>;
  #models = 0;

  /** @param helpers threads besides the host's own */
  constructor(helpers: number, start: StartThread) {
    const ports = Promise.all(Array.from({ length: helpers }, start));
    this.#threads = ports.then((all) =>
      all.flatMap((port) => (port === null ? [] : [new TileThread(port)])),
    );
  }

  /** A model in all threads, which load it in the background; `drop` frees it. */
  async load(
    network: Network,
    tensors: TensorMap,
  ): Promise<{ readonly runners: readonly TileRunner[]; readonly drop: () => void }> {
    const load = this.#models++;
    // Non-local ops contain functions, which cannot be sent to a thread, and most need the whole
    // image.
    const isLocal = network.graph.nodes.every(({ op }) => op !== 'nonlocal');
    const threads = isLocal ? await this.#threads : [];
    for (const thread of threads) thread.send({ load, network, tensors });
    return {
      runners: threads.map((thread) => thread.runner(load, network.scale)),
      drop: () => {
        for (const thread of threads) thread.send({ drop: load });
      },
    };
  }
}

/** One thread, as seen by its host. */
class TileThread {
  readonly #port: Port;
  #listener: (reply: Reply) => void = () => {};

  constructor(port: Port) {
    this.#port = port;
    port.onmessage = ({ data }: MessageEvent<Reply>) => this.#listener(data);
  }

  send(request: Request): void {
    this.#port.postMessage(request, []);
  }

  runner(run: number, scale: number): TileRunner {
    return {
      run: async (source, size, { core, to }, options = {}) => {
        const { signal, onWork, means: { given, band } = {} } = options;
        throwIfAborted(signal);
        const rows = band ? { from: band.from, to: band.to } : null;
        const cancel = () => this.send({ cancel: true });
        signal?.addEventListener('abort', cancel);
        try {
          const { done, data } = await this.#result(
            { run, source, size, core, given, band: rows },
            (work) => onWork?.(work),
            band?.combine,
          );
          copyRows(data, core.width * scale, core.height * scale, to);
          return done;
        } finally {
          signal?.removeEventListener('abort', cancel);
        }
      },
    };
  }

  #result(
    request: Request,
    onWork: (work: number) => void,
    combine: Band['combine'] | undefined,
  ): Promise<Extract<Reply, { done: boolean }>> {
    return new Promise((resolve, reject) => {
      this.#listener = (reply) => {
        if ('work' in reply) onWork(reply.work);
        else if ('done' in reply) resolve(reply);
        else if ('error' in reply) reject(CrispenError.deserialize(reply.error));
        // A job that failed elsewhere is cancelled here by its signal.
        else if ('sums' in reply)
          combine?.(reply.id, reply.sums).then(
            (mean) => this.send({ mean }),
            () => {},
          );
      };
      this.send(request);
    });
  }
}

function copyRows(data: RgbaImage['data'], width: number, height: number, to: Packing['to']): void {
  for (let y = 0; y < height; y++) {
    const row = data.subarray(y * width * 4, (y + 1) * width * 4);
    to.data.set(row, to.offset + y * to.width * 4);
  }
}

/** Means over an image whose bands are computed at the same time. */
export class Pooling {
  readonly #bands: number;
  readonly #waiting = new Map<ValueId, { sums: RowSums[]; came: number; asking: Asking[] }>();
  #failure: unknown = null;

  constructor(bands: number) {
    this.#bands = bands;
  }

  /** The requests of band `index`, counted from the top. */
  combine(index: number): Band['combine'] {
    return (id, sums) =>
      new Promise((resolve, reject) => {
        if (this.#failure) return reject(this.#failure);
        const entry = this.#waiting.get(id) ?? { sums: [], came: 0, asking: [] };
        this.#waiting.set(id, entry);
        entry.sums[index] = sums;
        entry.asking.push({ resolve, reject });
        if (++entry.came < this.#bands) return;
        this.#waiting.delete(id);
        const means = meansOf(entry.sums);
        for (const ask of entry.asking) ask.resolve(means);
      });
  }

  /** Rejects everyone who waits for a band that failed. */
  fail(error: unknown): void {
    this.#failure = error;
    for (const { asking } of this.#waiting.values()) {
      for (const { reject } of asking) reject(error);
    }
    this.#waiting.clear();
  }
}

interface Asking {
  readonly resolve: (means: Vector) => void;
  readonly reject: (error: unknown) => void;
}
