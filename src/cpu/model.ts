import { fuse } from '../engine/compile/fuse.ts';
import type { ValueId } from '../engine/compile/fused.ts';
import { bindWeights } from '../engine/compile/weights.ts';
import type { Size } from '../geometry.ts';
import type { RgbaImage } from '../image/image.ts';
import type { Network } from '../networks/network.ts';
import type { TensorMap } from '../weights/tensor.ts';
import { emittersFor } from './compile.ts';
import { Constants } from './constants.ts';
import type { Crew } from './crew.ts';
import type { MapView } from './layout.ts';
import { compileModule, growMemory, instantiate, makeMemory } from './module.ts';
import { type Packing, pack, unpack } from './pixels.ts';
import { activates } from './pointwise.ts';
import { Compiled, type Program } from './program.ts';
import { onThisThread, pausing, type RunChoice, type RunRows, runProgram } from './runner.ts';
import type { Pause, Places, Vector } from './tasks.ts';
import type { TileRunner } from './tiles.ts';

/** The options for loading a model. */
export interface ModelOptions {
  /**
   * The compiled module. Default: the best variant that the runtime supports (see `compileModule`).
   * If there is a crew, the module must be compiled for shared memory.
   */
  readonly module?: WebAssembly.Module | undefined;
  /** The threads that help with each task; default none. */
  readonly crew?: Crew | undefined;
  /** Copies of the model that compute tiles in other threads; default none. */
  readonly helpers?: readonly TileRunner[] | undefined;
  /** The values that the caller reads after a run. */
  readonly keep?: ReadonlySet<ValueId>;
  /** The fusion level; default `ops`. `none` runs each node separately. */
  readonly fuse?: 'ops' | 'none';
  /**
   * Whether 3x3 convolutions avoid the Winograd method F(2x2, 3x3). The method saves time but
   * increases rounding errors. Set this option if users see values from inside the network, such as
   * attention weights: a softmax can magnify small rounding errors in its input.
   */
  readonly exact?: boolean | undefined;
}

/** A part of a network: all ops, or the ops up to and including the last pooling op. */
type Part = 'all' | 'pooling';

/**
 * A network with its weights in WebAssembly memory. It processes one image or tile at a time. The
 * memory grows to fit the largest image or tile, and is freed when this object is
 * garbage-collected.
 */
export class CpuModel {
  readonly network: Network;
  readonly helpers: readonly TileRunner[];
  /** The number of threads, including this one, that share the rows of each task. */
  readonly threads: number;
  readonly #compiled: Compiled;
  readonly #memory: WebAssembly.Memory;
  readonly #rows: () => RunRows;
  /** The last planned program, and the program that is in memory. They are often the same. */
  #planned: Program | null = null;
  #program: Program | null = null;

  private constructor(
    network: Network,
    { crew, helpers = [] }: ModelOptions,
    compiled: Compiled,
    memory: WebAssembly.Memory,
    rows: () => RunRows,
  ) {
    this.network = network;
    this.helpers = helpers;
    this.threads = crew?.threads ?? 1;
    this.#compiled = compiled;
    this.#memory = memory;
    this.#rows = rows;
  }

  /** @throws CrispenError `NO_WASM`, `OUT_OF_MEMORY`, `MODEL_UNSUPPORTED` */
  static async load(
    network: Network,
    tensors: TensorMap,
    options: ModelOptions = {},
  ): Promise<CpuModel> {
    const { module: given, crew, keep = new Set(), fuse: level = 'ops', exact } = options;
    const { graph } = network;
    const constants = new Constants(bindWeights(graph, tensors), exact);
    const fused = fuse(graph, { fuse: level, keep, image: {}, activates });
    const emitters = await emittersFor(fused);
    const compiled = new Compiled(fused, emitters, constants, keep, crew?.threads ?? 1);
    const shared = crew !== undefined;
    const memory = makeMemory(constants.end, shared);
    constants.write(memory.buffer);
    const module = given ?? (await compileModule(undefined, shared));
    const functions = await instantiate(module, memory);
    const rows = () => crew?.serve(module, memory, functions) ?? onThisThread(functions);
    return new CpuModel(network, options, compiled, memory, rows);
  }

  /**
   * Whether some ops run in plain TypeScript loops, which take about a hundred times as long as the
   * functions of the WebAssembly module.
   */
  get slow(): boolean {
    return this.#compiled.slow;
  }

  /** The part of a job's report that does not depend on the image. */
  get report() {
    return {
      backend: 'cpu',
      gpuBytes: 0,
      dispatches: 0,
      precision: 'f32',
      threads: this.threads,
      ...(this.slow && { slow: true }),
    } as const;
  }

  /** The size of the model's memory in bytes. */
  get held(): number {
    return this.#memory.buffer.byteLength;
  }

  /** Whether the network contains pooling ops, which compute means over the whole image. */
  get pools(): boolean {
    return this.#compiled.poolingOps > 0;
  }

  /**
   * Returns how many bytes of memory an image or tile needs, including the weights. The sides in
   * `size` must be multiples of the graph's `sizeMultiple`.
   */
  bytes(size: Size, part: Part = 'all'): number {
    return this.#plan(size, part).bytes;
  }

  /** Returns the number of multiply-adds per LR pixel. */
  work(part: Part = 'all'): number {
    return this.#compiled.fused.ops
      .slice(0, this.#countOf(part))
      .reduce((sum, { multiplyAdds }) => sum + multiplyAdds, 0);
  }

  #countOf(part: Part): number {
    const { fused, poolingOps } = this.#compiled;
    return part === 'all' ? fused.ops.length : poolingOps;
  }

  /**
   * Returns the channel means that the network's pooling ops compute from an image. The keys are
   * the ids of the values that these ops produce.
   */
  async means(
    image: RgbaImage,
    size: Size,
    options: Pick<RunChoice, 'signal' | 'onWork'>,
  ): Promise<ReadonlyMap<ValueId, Vector>> {
    const found = new Map<ValueId, Vector>();
    await this.compute(size, this.#fill(image), { ...options, means: { found } }, 'pooling');
    return found;
  }

  /**
   * Runs the network on the pixels in `source`. The array `packing.to.data` receives the part of
   * the result that belongs to `packing.core`.
   * @param size the size of the map that the network reads; it exceeds the source's size if
   *   reflected pixels are added
   * @returns false if a value was not finite
   * @throws CrispenError `ABORTED`, `OUT_OF_MEMORY`
   */
  async run(
    source: RgbaImage,
    size: Size,
    packing: Omit<Packing, 'source' | 'scale'>,
    options: RunChoice = {},
  ): Promise<boolean> {
    const { graph, scale, inputRange } = this.network;
    const { floats, places, pause } = await this.compute(size, this.#fill(source), options);
    const map = places.map(graph.output);
    const finite = await pack(floats, map, inputRange, { ...packing, source, scale }, pause);
    // Non-finite values can remain in memory, and the next run might use their addresses for
    // padding, which must be finite. If `#program` is null, the next run clears the memory first.
    if (!finite) this.#program = null;
    return finite;
  }

  /**
   * Calls `fill` to write the input values to memory, then runs the network or a part of it. The
   * returned values are valid until the next run.
   * @throws CrispenError `ABORTED`, `OUT_OF_MEMORY`
   */
  async compute(
    size: Size,
    fill: (floats: Float32Array, input: MapView) => void,
    options: RunChoice = {},
    part: Part = 'all',
  ): Promise<{ readonly floats: Float32Array; readonly places: Places; readonly pause: Pause }> {
    const program = this.#prepare(size, part);
    const floats = new Float32Array(this.#memory.buffer);
    fill(floats, program.places.map(this.#compiled.fused.inputs[0]));
    const pause = pausing(options.signal);
    await runProgram(program, {
      means: {},
      tables: new Map(),
      ...options,
      pause,
      floats,
      rows: this.#rows(),
      threads: this.threads,
    });
    return { floats, places: program.places, pause };
  }

  /** Returns a function that writes an image's pixels to the network's input. */
  #fill(image: RgbaImage) {
    return (floats: Float32Array, map: MapView): void =>
      unpack(floats, map, image, this.network.inputRange);
  }

  #plan(size: Size, part: Part): Program {
    const { width, height } = size;
    const count = this.#countOf(part);
    const known = [this.#program, this.#planned].find(
      (plan) =>
        plan?.size.width === width && plan.size.height === height && plan.steps.length === count,
    );
    this.#planned = known ?? this.#compiled.program(size, count);
    return this.#planned;
  }

  #prepare(size: Size, part: Part): Program {
    const program = this.#plan(size, part);
    if (program === this.#program) return program;
    const { held } = this;
    growMemory(this.#memory, program.bytes);
    const { buffer } = this.#memory;
    // Earlier runs may have left NaN or infinity in memory, so it is cleared. Memory that was just
    // allocated contains zeros.
    new Float32Array(buffer).fill(0, this.#compiled.start / 4, held / 4);
    new Uint32Array(buffer, program.records, program.words.length).set(program.words);
    this.#program = program;
    return program;
  }
}
