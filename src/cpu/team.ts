/**
 * The host's code for threads without shared memory. Each thread has the model in its own memory
 * and computes tiles. `serve.ts` contains the threads' code.
 */
import { CrispenError, throwIfAborted } from '../errors.ts';
import type { RgbaImage } from '../image/image.ts';
import type { Network } from '../networks/network.ts';
import type { TensorMap } from '../weights/tensor.ts';
import type { Packing } from './pixels.ts';
import type { RunChoice } from './runner.ts';
import type { Port, Reply, Request, TileRunner } from './tiles.ts';

/** Starts a thread. Returns a port for messages to and from the thread, or null on failure. */
export type StartThread = () => Promise<Port | null>;

/** Threads that all have the same models in memory. */
export class Team {
  readonly #threads: Promise<TileThread[]>;
  #models = 0;

  /** @param helpers the number of threads in addition to the host's own */
  constructor(helpers: number, start: StartThread) {
    const ports = Promise.all(Array.from({ length: helpers }, start));
    this.#threads = ports.then((all) =>
      all.flatMap((port) => (port ? [new TileThread(port)] : [])),
    );
  }

  /**
   * Sends a model to all threads, which load it in the background. The returned function `drop`
   * frees the model in all threads.
   */
  async load(
    network: Network,
    tensors: TensorMap,
  ): Promise<{ readonly runners: readonly TileRunner[]; readonly drop: () => void }> {
    const load = this.#models++;
    // Non-local ops contain functions, which cannot be sent to a thread. Most of these ops also
    // need the whole image.
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

/** The host's view of one thread. */
class TileThread {
  readonly #port: Port;
  #listener: (reply: Reply) => void = () => {};

  constructor(port: Port) {
    this.#port = port;
    port.onmessage = ({ data }: MessageEvent<Reply>) => this.#listener(data);
  }

  send(request: Request, transfer: ArrayBuffer[] = []): void {
    this.#port.postMessage(request, transfer);
  }

  runner(run: number, scale: number): TileRunner {
    return {
      run: async (source, size, { core, to }, options) => {
        const { signal, means: { given, band } = {} } = options;
        throwIfAborted(signal);
        const rows = band && { from: band.from, to: band.to };
        const cancel = () => this.send({ cancel: true });
        signal?.addEventListener('abort', cancel);
        // A tile's pixels can be a view of the whole image's buffer, and a message would copy all of
        // that buffer.
        const pixels = { ...source, data: source.data.slice() } as RgbaImage;
        try {
          const { done, data } = await this.#result(
            { run, source: pixels, size, core, given, band: rows },
            options,
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
    { onWork, means }: RunChoice,
  ): Promise<Extract<Reply, { done: boolean }>> {
    return new Promise((resolve, reject) => {
      this.#listener = (reply) => {
        if ('work' in reply) onWork?.(reply.work);
        else if ('done' in reply) resolve(reply);
        else if ('error' in reply) reject(CrispenError.deserialize(reply.error));
        else if ('sums' in reply)
          means?.band?.combine(reply.id, reply.sums).then(
            (mean) => this.send({ mean }),
            // Nothing to do: `combine` fails only if the job has failed. The job's abort signal
            // then cancels the thread's work.
            () => {},
          );
      };
      const transfer = 'source' in request ? [request.source.data.buffer as ArrayBuffer] : [];
      this.send(request, transfer);
    });
  }
}

function copyRows(data: RgbaImage['data'], width: number, height: number, to: Packing['to']): void {
  for (let y = 0; y < height; y++) {
    const row = data.subarray(y * width * 4, (y + 1) * width * 4);
    to.data.set(row, to.offset + y * to.width * 4);
  }
}
