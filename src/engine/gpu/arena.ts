import { internal, throwIfAborted } from '../../errors.ts';
import type { Size } from '../../geometry.ts';
import { GROUP_ROW_WORD, type Grid, type Kernel, paramWords } from '../../kernels/kernel.ts';
import type { Operand, Program, ResourceId, Step, TileView } from '../compile/program.ts';
import type { Buffers } from './buffers.ts';
import { type Device, USAGE } from './device.ts';
import type { Model } from './model.ts';
import type { Pace } from './pace.ts';
import { binding, PARAM_BYTES, type Pipeline } from './pipelines.ts';
import { type Lifetime, planMemory } from './planner.ts';
import type { Receipt } from './receipt.ts';

/**
 * One dispatch with its buffers, and with the grid and parameters for a tile of a given size. It
 * can be cut into pieces.
 */
export interface SizedDispatch {
  readonly kernel: Kernel;
  readonly pipeline: Pipeline;
  readonly bindGroup: GPUBindGroup;
  readonly grid: Grid;
  readonly params: readonly number[];
  readonly work: number;
}

/**
 * Plans the memory slots of a program's resources for tiles of the given size. External resources
 * have their own buffers instead of slots.
 */
export function planProgram(
  program: Program,
  size: Size,
  keep: ReadonlySet<ResourceId> = new Set(),
) {
  const end = program.steps.length;
  const first = new Map<ResourceId, number>([[program.input, -1]]);
  const last = new Map<ResourceId, number>();
  program.steps.forEach((step, index) => {
    for (const id of step.writes) first.set(id, first.get(id) ?? index);
    for (const operand of step.reads) {
      if ('resource' in operand) last.set(operand.resource, index);
    }
  });
  const lifetimes = program.resources.map(({ bytes, external }, id): Lifetime => {
    const from = first.get(id);
    if (external || from === undefined) return { bytes: 0, first: 0, last: 0 };
    const kept = keep.has(id) || id === program.image?.packed;
    return {
      bytes: bytes(size),
      first: from,
      last: kept ? end : (last.get(id) ?? from),
    };
  });
  const outside = program.resources.filter(({ external }) => external);
  const externalBytes = outside.reduce((sum, { bytes }) => sum + bytes(size), 0);
  const largest = Math.max(externalBytes, ...lifetimes.map(({ bytes }) => bytes));
  const { totalBytes, ...slots } = planMemory(lifetimes);
  return { ...slots, bytes: totalBytes + externalBytes, largest };
}

/**
 * The bind groups and buffers of a model for tiles up to a given size. Each external resource and
 * each memory slot has a buffer, and one more buffer holds the uniforms. An arena is created once
 * and can run any number of tiles up to that size. The buffers belong to the `Buffers` object that
 * created them.
 */
export class Arena {
  readonly #device: Device;
  readonly #model: Model;
  /** The buffer of each resource, by resource id. */
  readonly #buffers: readonly GPUBuffer[];
  readonly #size: Size;
  /** The bind group of each step for tiles of the full size. */
  readonly #bindGroups: readonly GPUBindGroup[];
  /** The uniforms of each piece of a dispatch, at multiples of `uniformStride`. */
  readonly uniforms: GPUBuffer;

  private constructor(
    device: Device,
    model: Model,
    buffers: readonly GPUBuffer[],
    uniforms: GPUBuffer,
    size: Size,
  ) {
    this.#device = device;
    this.#model = model;
    this.#buffers = buffers;
    this.uniforms = uniforms;
    this.#size = size;
    this.#bindGroups = model.program.steps.map((step, i) => this.#bind(step, i, size));
  }

  /**
   * @param set owns the new buffers
   * @param keep resources that must keep their content after the run
   * @throws CrispenError `OUT_OF_MEMORY`; the whole set is then freed
   */
  static create(
    set: Buffers,
    model: Model,
    size: Size,
    keep?: ReadonlySet<ResourceId>,
  ): Promise<Arena> {
    const { device } = set;
    const { program } = model;
    const { slotBytes, slotOf } = planProgram(program, size, keep);
    const usage = USAGE.STORAGE | USAGE.COPY_SRC | USAGE.COPY_DST;
    return set.allocate('allocating feature maps', (make) => {
      const slots = slotBytes.map((bytes) => make('feature map', bytes, usage));
      const buffers = program.resources.map(({ name, bytes, external }, id) =>
        external ? make(name, bytes(size), usage) : slots[slotOf[id]],
      );
      const bytes = uniformBytes(device, program, size);
      const uniforms = make('uniforms', bytes, USAGE.UNIFORM | USAGE.COPY_DST | USAGE.COPY_SRC);
      return new Arena(device, model, buffers, uniforms, size);
    });
  }

  /**
   * Returns the buffer of a resource. Resources whose lifetimes do not overlap can share a buffer.
   */
  buffer(resource: ResourceId): GPUBuffer {
    return this.#buffers[resource];
  }

  /**
   * Writes data to the start of a resource. Call this method within `Device.scoped`, which catches
   * WebGPU errors. `run` calls its `write` callback within `scoped`, so the callback can call this
   * method.
   */
  write(resource: ResourceId, data: ArrayBufferView): void {
    const content = data as ArrayBufferView<ArrayBuffer>;
    this.#device.gpu.queue.writeBuffer(this.#buffers[resource], 0, content);
  }

  /**
   * @param size the tile's size in LR pixels; it determines where each part of a map starts in the
   *   map's buffer
   */
  #bind({ reads, writes }: Step, index: number, size: Size): GPUBindGroup {
    const { pipeline, layout } = this.#model.pipelines[index];
    const bound = (operand: Operand): GPUBufferBinding => {
      if ('constant' in operand) {
        const span = this.#model.spans.get(operand.constant);
        if (!span) throw internal(`weight ${operand.constant} was not uploaded`);
        return { buffer: this.#model.weights, offset: span.offset, size: span.size };
      }
      const { part } = operand;
      const bytes = part?.bytes(size) ?? 0;
      return {
        buffer: this.#buffers[operand.resource],
        ...(part && { offset: part.first * bytes, size: part.blocks * bytes }),
      };
    };
    const buffers = [...reads.map(bound), ...writes.map((resource) => bound({ resource }))];
    const uniforms = { buffer: this.uniforms, size: PARAM_BYTES };
    const { gpu } = this.#device;
    return gpu.createBindGroup(binding(layout, [uniforms, ...buffers], pipeline.label));
  }

  /**
   * Returns the program's dispatches for a tile. The tile's source may be smaller than the size for
   * which the arena was created.
   */
  sized(tile: TileView): SizedDispatch[] {
    const { width, height } = tile.source;
    const isFull = width === this.#size.width && height === this.#size.height;
    return this.#model.program.steps.map((step, i) => {
      const size = { width: width * step.scale, height: height * step.scale };
      const moved = !isFull && step.reads.some((operand) => 'resource' in operand && operand.part);
      return {
        kernel: step.kernel,
        pipeline: this.#model.pipelines[i],
        bindGroup: moved ? this.#bind(step, i, tile.source) : this.#bindGroups[i],
        grid: step.grid(size, tile),
        params: paramWords(step.kernel, step.params(size, tile)),
        work: step.work * width * height * (step.share?.(size) ?? 1),
      };
    });
  }

  /**
   * Submits dispatches in order. They are cut into pieces, and consecutive pieces are submitted
   * together as long as their work is within the limit that `pace` sets for a submission. At most
   * two submissions are in flight at any time. The method can return while they are still
   * running, so that the next run or a readback can follow without a gap. When `signal` fires, the
   * run stops between submissions.
   *
   * @returns the number of pieces that the dispatches were cut into.
   * @throws CrispenError `ABORTED`, `OUT_OF_MEMORY`, `INTERNAL`, `DEVICE_LOST`. When the error is
   *   thrown, no work is running.
   */
  async run(
    dispatches: readonly SizedDispatch[],
    options: {
      readonly pace: Pace;
      readonly signal?: AbortSignal | undefined;
      readonly onWork?: (work: number) => void;
      /**
       * If there is a receipt, each submission copies its mark (a number) into the receipt. With
       * the marks, the caller can check that all submissions ran.
       */
      readonly receipt?: Receipt;
      /**
       * `start` is called at the start of the first submission, and `finish` at the end of the last
       * one.
       */
      readonly start?: (encoder: GPUCommandEncoder) => void;
      readonly finish?: (encoder: GPUCommandEncoder) => void;
      /**
       * Uploads the run's input. It is called before the first submission. If the upload causes a
       * WebGPU error, the run fails.
       */
      readonly write?: () => void;
    },
  ): Promise<number> {
    const { pace, signal, onWork, receipt, start, finish, write } = options;
    const stride = uniformStride(this.#device);
    const pieces = dispatches.flatMap((dispatch) => cut(dispatch, pace.submissionWork()));
    const marksAt = pieces.length * stride;
    // The uniform buffer contains each piece's uniforms and then each submission's mark. A
    // submission contains at least one piece, so there are at most as many marks as pieces.
    const words = new Uint32Array(marksAt / 4 + pieces.length);
    pieces.forEach(({ dispatch, row }, i) => {
      const at = (i * stride) / 4;
      words.set(dispatch.params, at);
      // The third word is 0 or, in kernels without `group_row`, another parameter. Those kernels
      // always run with one row of workgroups.
      if (row > 0) words[at + GROUP_ROW_WORD] = row;
    });
    for (let i = marksAt / 4; i < words.length; i++) words[i] = this.#device.mark();
    let [next, submission] = [0, 0];
    try {
      await this.#device.scoped('uploading a tile', () => {
        this.#device.gpu.queue.writeBuffer(this.uniforms, 0, words);
        write?.();
      });
      do {
        throwIfAborted(signal);
        const first = next;
        let work = 0;
        const allowed = pace.submissionWork();
        do work += pieces[next++].work;
        while (next < pieces.length && work + pieces[next].work <= allowed);
        const { verdict } = this.#device.scopes('running the network', () => {
          const encoder = this.#device.gpu.createCommandEncoder();
          if (first === 0) start?.(encoder);
          const pass = encoder.beginComputePass();
          for (let i = first; i < next; i++) {
            const { dispatch, rows } = pieces[i];
            pass.setPipeline(dispatch.pipeline.pipeline);
            pass.setBindGroup(0, dispatch.bindGroup, [i * stride]);
            pass.dispatchWorkgroups(dispatch.grid[0], rows, dispatch.grid[2]);
          }
          pass.end();
          const mark = marksAt / 4 + submission++;
          receipt?.expect(encoder, this.uniforms, mark * 4, words.subarray(mark, mark + 1));
          if (next === pieces.length) finish?.(encoder);
          this.#device.gpu.queue.submit([encoder.finish()]);
        });
        await pace.submitted(work, this.#device.idle(work));
        await verdict;
        onWork?.(work);
      } while (next < pieces.length);
      return pieces.length;
    } catch (error) {
      // The buffers will be reused or freed, so the GPU must finish first.
      await this.#device.idle().catch(() => {});
      await pace.drain();
      throw error;
    }
  }
}

/** The maximum number of pieces that one dispatch is cut into. */
const MAX_PIECES = 16;

export const uniformStride = (device: Device): number =>
  Math.max(PARAM_BYTES, device.limits.minUniformBufferOffsetAlignment);

/**
 * Returns the uniform buffer's size in bytes for tiles no larger than `size`. For each piece of a
 * dispatch, the buffer has room for the uniforms (`uniformStride` bytes) and for a mark (4 bytes).
 */
export const uniformBytes = (device: Device, program: Program, size: Size): number =>
  mostPieces(program, size) * (uniformStride(device) + 4);

/** Returns the maximum number of bytes that a run's submission marks take up in a receipt. */
export const markBytes = (program: Program, size: Size): number => 4 * mostPieces(program, size);

/** Returns the maximum number of pieces in one run of a program. No tile is larger than `size`. */
function mostPieces({ steps }: Program, size: Size): number {
  const whole = { x: 0, y: 0, ...size };
  const tile = { image: size, core: whole, source: whole };
  return steps.reduce((sum, { grid, scale }) => {
    const [, rows] = grid({ width: size.width * scale, height: size.height * scale }, tile);
    return sum + Math.min(MAX_PIECES, rows);
  }, 0);
}

interface Piece {
  readonly dispatch: SizedDispatch;
  readonly row: number;
  readonly rows: number;
  readonly work: number;
}

/**
 * Cuts a dispatch along `y` into as few pieces as possible, because each piece costs time: while
 * its last workgroups run, other threads are idle. The loss is largest if a CPU emulates the GPU.
 * `most` is the desired limit for the work of a piece. A piece can exceed this limit, because there
 * are at most `MAX_PIECES` pieces and each piece has at least one row of workgroups.
 */
function cut(dispatch: SizedDispatch, most: number): Piece[] {
  const rows = dispatch.grid[1];
  const count = Math.min(MAX_PIECES, rows, Math.max(1, Math.ceil(dispatch.work / most)));
  return Array.from({ length: count }, (_, i) => {
    const row = Math.floor((i * rows) / count);
    const end = Math.floor(((i + 1) * rows) / count);
    return { dispatch, row, rows: end - row, work: (dispatch.work * (end - row)) / rows };
  });
}
