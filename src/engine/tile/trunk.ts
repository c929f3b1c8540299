/**
 * Runs networks with non-local attention when the whole network does not fit into memory, but the
 * trunk (everything up to the last attention layer) does. The upsampling layers at the end need
 * most of the memory. Therefore, the trunk processes the whole image, and its last map stays on the
 * GPU. Only the end of the network runs in tiles. Each tile reads its part of that map. The result
 * is exact, because all non-local attention, including its clustering and sorting of pixels, covers
 * the whole image.
 */
import { CrispenError } from '../../errors.ts';
import type { Size } from '../../geometry.ts';
import { graphBehind, trunkEnd } from '../../graph/trunk.ts';
import type { RgbaImage } from '../../image/image.ts';
import { ELEMENT_BYTES } from '../../kernels/kernel.ts';
import type { ResourceId } from '../compile/program.ts';
import { Arena, markBytes, planProgram, uniformBytes } from '../gpu/arena.ts';
import { type Buffers, withBuffers } from '../gpu/buffers.ts';
import { type Device, USAGE } from '../gpu/device.ts';
import type { Model } from '../gpu/model.ts';
import type { Pace } from '../gpu/pace.ts';
import { Receipt } from '../gpu/receipt.ts';
import type { ProgressMeter } from '../progress.ts';
import { onlyFor, perModel, withSteps } from './statistics.ts';
import { imageResources, type TileFill, wholeImage, workOf } from './strips.ts';
import { type StripPlan, type Tiler, tilerFor } from './tiler.ts';

/**
 * A model that is split into two parts, `trunk` and `end`. The trunk's program writes the resource
 * `between`, and the end's program reads it. Both programs store `between` in a buffer that no
 * other resource uses.
 */
interface CutModel {
  readonly trunk: Model;
  readonly end: Model;
  readonly between: ResourceId;
}

/**
 * The result of `runTrunk`: the rest of the model, the plan of its tiles, and access to the trunk's
 * last map.
 */
export interface Trunk {
  /** The part of the model after the trunk. It runs on each tile. */
  readonly model: Model;
  readonly tiler: Tiler;
  readonly strips: readonly StripPlan[];
  /**
   * `bytes` is the size of the trunk's last map, which stays on the GPU. `peakBytes` is the peak
   * GPU memory in bytes while the trunk runs, including weights.
   */
  readonly bytes: number;
  readonly peakBytes: number;
  /** Copies one tile's part of the trunk's last map into that tile's arena. */
  readonly fill: TileFill;
  readonly destroy: () => void;
}

/**
 * Splits a model after its trunk, or returns null if that is not possible. Every call with the same
 * model returns the same objects.
 */
const cutModel = perModel((model): CutModel | null => {
  const { network, program } = model;
  const node = trunkEnd(network.graph);
  const between = node === null ? undefined : program.resourceOf.get(node);
  if (node === null || between === undefined) return null;
  const resources = program.resources.map((resource, id) =>
    id === between ? { ...resource, external: true } : resource,
  );
  const whole = { ...model, program: { ...program, resources } };
  const behind = withSteps(whole, ({ writes }) => !writes.includes(between));
  const { packed, status } = imageResources(program);
  const end = {
    ...onlyFor(behind, new Set([packed, status])),
    network: { ...network, graph: graphBehind(network.graph, node) },
  };
  return { trunk: onlyFor(whole, new Set([between])), end, between };
});

/**
 * Runs a model's trunk over the whole image and plans the tiles for the rest of the model. Returns
 * null if the model has no trunk. Also returns null if the trunk or the tiles need more memory than
 * the budget or the device allows.
 * @throws CrispenError with any code that `Arena.run` throws, except `OUT_OF_MEMORY`; the buffers
 *   are then freed
 */
export async function runTrunk(
  device: Device,
  model: Model,
  image: RgbaImage,
  options: {
    readonly budget: number;
    /** The maximum side length of a tile's core, which is the tile without the overlap. */
    readonly side: number;
    /**
     * Returns a function that checks whether a model can process tiles of a given size within a
     * budget of GPU memory, in bytes.
     */
    readonly fits: (model: Model, budget: number) => (size: Size) => boolean;
    readonly meter: ProgressMeter;
    readonly pace: Pace;
    readonly signal?: AbortSignal | undefined;
    readonly onWork: (work: number) => void;
  },
): Promise<Trunk | null> {
  const cut = cutModel(model);
  if (!cut) return null;
  const { trunk, end, between } = cut;
  const { program } = trunk;
  const { budget, side, fits, meter, ...paced } = options;
  const { width, height } = image;
  const size = { width, height };
  const whole = wholeImage(size, 1);
  const plan = planProgram(program, size);
  const bytes = program.resources[between].bytes(size);
  const receiptSize = image.data.byteLength + markBytes(program, size);
  const uniforms = uniformBytes(device, program, size);
  const peakBytes = plan.bytes + uniforms + receiptSize + model.weights.size;
  if (plan.largest > device.largestBuffer || peakBytes > budget) return null;
  const tiler = tilerFor(image, end.network, 'zero');
  const lastMap = async (buffers: Buffers): Promise<GPUBuffer> => {
    const staging = await buffers.allocate('allocating the trunk', (make) =>
      make('receipt', receiptSize, USAGE.MAP_READ | USAGE.COPY_DST),
    );
    const arena = await Arena.create(buffers, trunk, size);
    const { source } = imageResources(program);
    const receipt = new Receipt(device, staging, 0);
    await arena.run(arena.sized({ ...whole.tiles[0], image }), {
      ...paced,
      receipt,
      write: () => arena.write(source, image.data),
      finish: (encoder) => receipt.expect(encoder, arena.buffer(source), 0, image.data),
    });
    await device.mapped(staging, receipt.end, (content) => receipt.check(content));
    return buffers.release(arena.buffer(between));
  };

  try {
    const strips = tiler.plan(side, fits(end, budget - bytes));
    meter.expect(workOf(program, [whole]));
    const map = await withBuffers(device, lastMap, paced.pace);
    return {
      model: end,
      tiler,
      strips,
      bytes,
      peakBytes,
      // Copies a rectangle of the map, block by block and row by row.
      fill(encoder, tile, arena) {
        const vector = 4 * ELEMENT_BYTES[program.element];
        const blocks = bytes / (width * height * vector);
        const row = tile.width * vector;
        const to = arena.buffer(between);
        for (let block = 0; block < blocks; block++) {
          for (let y = 0; y < tile.height; y++) {
            const at = ((block * height + tile.y + y) * width + tile.x) * vector;
            encoder.copyBufferToBuffer(map, at, to, (block * tile.height + y) * row, row);
          }
        }
      },
      destroy: () => map.destroy(),
    };
  } catch (error) {
    meter.replan(0);
    if (error instanceof CrispenError && error.code === 'OUT_OF_MEMORY') return null;
    throw error;
  }
}
