import { fuse } from '../engine/compile/fuse.ts';
import type { ValueId } from '../engine/compile/fused.ts';
import { bindWeights, type NetworkWeights } from '../engine/compile/weights.ts';
import type { Value } from '../engine/oracle/interpreter.ts';
import {
  findTaps,
  type PlanarInput,
  paddedInput,
  pixelFormats,
  tracedMap,
} from '../engine/oracle/trace.ts';
import type { TracedTensor } from '../engine/types.ts';
import { internal } from '../errors.ts';
import type { Size } from '../geometry.ts';
import type { RgbaImage } from '../image/image.ts';
import type { Network } from '../networks/network.ts';
import type { TensorMap } from '../weights/tensor.ts';
import type { SlowOp } from './compile.ts';
import { Constants } from './constants.ts';
import type { Crew } from './crew.ts';
import { readPlanar, writePlanar } from './layout.ts';
import { compileModule, growMemory, instantiate, makeMemory } from './module.ts';
import { type Packing, pack, unpack } from './pixels.ts';
import { activates } from './pointwise.ts';
import { Compiled, type Program } from './program.ts';
import {
  type Oracle,
  onThisThread,
  type Run,
  type RunChoice,
  type RunRows,
  runProgram,
} from './runner.ts';
import type { TileRunner } from './tiles.ts';

/** Options of a model. */
export interface ModelOptions {
  /**
   * Default: the best variant that the runtime supports (`compileModule`). With a crew, it must be
   * for a shared memory.
   */
  readonly module?: WebAssembly.Module | undefined;
  /** Threads that help; default none. */
  readonly crew?: Crew | undefined;
  /** Copies of the model in other threads, which compute tiles; default none. */
  readonly helpers?: readonly TileRunner[] | undefined;
  /** Values that are read after a run. */
  readonly keep?: ReadonlySet<ValueId>;
  /** Default `ops`; `none` runs each node separately. */
  readonly fuse?: 'ops' | 'none';
  /**
   * Whether 3x3 convolutions avoid tiles of 2x2 pixels, which save time and round a little more. For
   * values that people read, such as softmaxes of steep logits.
   */
  readonly exact?: boolean | undefined;
}

/**
 * A network with its weights in WebAssembly memory. It runs one image or tile at a time. The memory
 * grows to the size of the largest and is freed with the object.
 */
export class CpuModel {
  readonly network: Network;
  readonly helpers: readonly TileRunner[];
  readonly #compiled: Compiled;
  readonly #weights: NetworkWeights;
  readonly #memory: WebAssembly.Memory;
  readonly #rows: () => RunRows;
  /** Threads that divide its rows. */
  readonly threads: number;
  readonly #applyOp: typeof import('../engine/oracle/interpreter.ts').applyOp | null;
  #program: Program | null = null;

  private constructor(
    network: Network,
    helpers: readonly TileRunner[],
    weights: NetworkWeights,
    compiled: Compiled,
    memory: WebAssembly.Memory,
    rows: () => RunRows,
    threads: number,
    applyOp: typeof import('../engine/oracle/interpreter.ts').applyOp | null,
  ) {
    this.network = network;
    this.helpers = helpers;
    this.#compiled = compiled;
    this.#weights = weights;
    this.#memory = memory;
    this.#rows = rows;
    this.threads = threads;
    this.#applyOp = applyOp;
  }

  /** @throws CrispenError `NO_WASM`, `OUT_OF_MEMORY`, `MODEL_UNSUPPORTED` */
  static async load(
    network: Network,
    tensors: TensorMap,
    { module: given, crew, helpers = [], keep, fuse: level = 'ops', exact }: ModelOptions = {},
  ): Promise<CpuModel> {
    const weights = bindWeights(network.graph, tensors);
    const fused = fuse(network.graph, {
      fuse: level,
      ...(keep && { keep }),
      image: {},
      activates,
    });
    const constants = new Constants(weights, exact);
    const compiled = new Compiled(fused, constants, keep, crew?.threads);
    const shared = crew !== undefined;
    const memory = makeMemory(constants.end, shared);
    constants.write(memory.buffer);
    const module = given ?? (await compileModule(undefined, shared));
    const functions = await instantiate(module, memory);
    const rows = () => crew?.serve(module, memory, functions) ?? onThisThread(functions);
    const { applyOp = null } =
      compiled.slow.length > 0 ? await import('../engine/oracle/interpreter.ts') : {};
    return new CpuModel(
      network,
      helpers,
      weights,
      compiled,
      memory,
      rows,
      crew?.threads ?? 1,
      applyOp,
    );
  }

  /** True if plain loops run some ops, which take a hundred times as long. */
  get slow(): boolean {
    return this.#compiled.slow.length > 0;
  }

  /** Bytes of its memory. */
  get held(): number {
    return this.#memory.buffer.byteLength;
  }

  /** Whether values depend on means over the image. */
  get pools(): boolean {
    return this.#compiled.poolingOps > 0;
  }

  /**
   * Bytes of memory for an image or tile of whole cells, including weights.
   * @param part `pooling`: only for the part that `means` runs
   */
  bytes(size: Size, part: 'all' | 'pooling' = 'all'): number {
    return this.#compiled.program(size, this.#countOf(part)).bytes;
  }

  /** Multiply-adds per LR pixel. */
  work(part: 'all' | 'pooling' = 'all'): number {
    return this.#compiled.fused.ops
      .slice(0, this.#countOf(part))
      .reduce((sum, { multiplyAdds }) => sum + multiplyAdds, 0);
  }

  /** The means over an image that the network uses, by the value that they become. */
  async means(
    image: RgbaImage,
    size: Size,
    options: Pick<Run, 'signal' | 'onWork'>,
  ): Promise<ReadonlyMap<ValueId, Float32Array<ArrayBuffer>>> {
    const program = this.#prepare(size, 'pooling');
    const { input } = pixelFormats(this.network);
    unpack(this.#floats(), this.#input(program), image, input);
    const found = new Map<ValueId, Float32Array<ArrayBuffer>>();
    await this.#execute(program, { ...options, means: { found } });
    return found;
  }

  #countOf(part: 'all' | 'pooling'): number {
    const { fused, poolingOps } = this.#compiled;
    return part === 'all' ? fused.ops.length : poolingOps;
  }

  /**
   * Runs the network on the pixels of `source` and packs a part of the result.
   * @param size of the map that the network sees; larger than the source if that is reflected
   * @returns false if a value was not finite
   * @throws CrispenError `ABORTED`, `OUT_OF_MEMORY`
   */
  async run(
    source: RgbaImage,
    size: Size,
    packing: Omit<Packing, 'source' | 'scale'>,
    options: RunChoice = {},
  ): Promise<boolean> {
    const program = this.#prepare(size);
    const formats = pixelFormats(this.network);
    unpack(this.#floats(), this.#input(program), source, formats.input);
    await this.#execute(program, options);
    const { graph, scale } = this.network;
    const map = program.views.get(graph.output);
    if (!map) throw internal('the output has no place');
    const finite = pack(this.#floats(), map, formats.output, { ...packing, source, scale });
    // A non-finite value would stay where a later image expects finite padding.
    if (!finite) this.#program = null;
    return finite;
  }

  /**
   * The named values of one run on planar numbers in the network's range. They must be in `keep`.
   */
  async trace(
    input: PlanarInput,
    names: readonly string[],
    options: RunChoice = {},
  ): Promise<Map<string, TracedTensor>> {
    const { graph } = this.network;
    const map = paddedInput(this.network, input);
    const program = this.#prepare(map);
    writePlanar(this.#floats(), this.#input(program), map.data);
    const values = await this.#execute(program, options);
    return new Map(
      [...findTaps(graph, names)].map((id) => {
        const value = values.get(id) ?? this.#value(program, id);
        const tensor: TracedTensor =
          value instanceof Float32Array
            ? { shape: [value.length], data: value }
            : 'dims' in value
              ? { shape: value.dims, data: Float32Array.from(value.data) }
              : tracedMap(this.network, id, value, input);
        return [graph.nodes[id].name, tensor];
      }),
    );
  }

  #floats(): Float32Array {
    return new Float32Array(this.#memory.buffer);
  }

  #input(program: Program) {
    const [id] = this.#compiled.fused.inputs;
    const view = program.views.get(id);
    if (!view) throw internal('the input has no place');
    return view;
  }

  #prepare({ width, height }: Size, part: 'all' | 'pooling' = 'all'): Program {
    const known = this.#program;
    const count = this.#countOf(part);
    const same = known?.size.width === width && known.size.height === height;
    if (same && known.steps.length === count) return known;
    const program = this.#compiled.program({ width, height }, count);
    growMemory(this.#memory, program.bytes);
    // Data from other sizes are finite, unless a network produced NaN or infinity.
    this.#floats().fill(0, this.#compiled.start / 4);
    new Uint32Array(this.#memory.buffer, program.records, program.words.length).set(program.words);
    this.#program = program;
    return program;
  }

  /** @returns the values that are not maps or vectors in memory */
  async #execute(program: Program, options: RunChoice): Promise<Map<ValueId, Value>> {
    const tables = new Map<ValueId, Value>();
    const oracle: Oracle = (op) => this.#runOracle(program, op, tables);
    await runProgram(program, {
      ...options,
      floats: this.#floats(),
      rows: this.#rows(),
      threads: this.threads,
      oracle,
    });
    return tables;
  }

  #runOracle(program: Program, op: SlowOp, tables: Map<ValueId, Value>): void {
    if (!this.#applyOp) throw internal("the oracle's loops were not loaded");
    const inputs = op.reads.inputs.map((id) => tables.get(id) ?? this.#value(program, id));
    const value = this.#applyOp(op, inputs, (name) => {
      const weight = this.#weights.get(name);
      if (!weight) throw internal(`weight ${name} was not bound`);
      return weight;
    });
    const view = program.views.get(op.writes.y);
    if (view && 'channels' in value) writePlanar(this.#floats(), view, value.data);
    else tables.set(op.writes.y, value);
  }

  #value(program: Program, id: ValueId): Value {
    const view = program.views.get(id);
    if (view) {
      const { channels, width, height } = view;
      return { channels, width, height, data: readPlanar(this.#floats(), view) };
    }
    const { shape } = this.network.graph.nodes[id];
    const address = program.vectors.get(id);
    if (address === undefined || shape.kind !== 'vector') throw internal(`no value ${id}`);
    return this.#floats().slice(address / 4, address / 4 + shape.length);
  }
}
