/**
 * Runs networks on the GPU in overlapping tiles, and averages the results where tiles overlap
 * (`average.ts`). A program's last step normally converts the network's output to pixels. Here, it
 * converts means instead. The mean at a pixel is taken over the tiles that cover the pixel and have
 * already been computed. No later tile covers the pixels of a tile's core, so their means are final
 * as soon as the tile has been computed.
 */
import { CrispenError, internal } from '../../errors.ts';
import type { Size } from '../../geometry.ts';
import { paddedSide, paddingOf } from '../../graph/analysis.ts';
import { ELEMENT_BYTES, mapGrid } from '../../kernels/kernel.ts';
import { blendKernel } from '../../kernels/pixels/blend.ts';
import type { Resource, Step } from '../compile/program.ts';
import type { Device } from '../gpu/device.ts';
import { compileSteps, type Model } from '../gpu/model.ts';
import type { Edge } from '../types.ts';
import { type AveragedTiles, checkEdge, startsAlong } from './average.ts';
import { imageResources } from './strips.ts';
import type { StripPlan } from './tiler.ts';

/**
 * Plans the tiles of an image in the order in which they run. Each tile's `source` also includes
 * the padding that the network adds to the tile on the right and at the bottom.
 * @throws CrispenError like `checkEdge`
 */
export function planAveraged(
  { network }: Model,
  image: Size,
  tiles: AveragedTiles,
  edge?: Edge,
): StripPlan[] {
  checkEdge(edge);
  const padding = paddingOf(network.graph);
  const along = (length: number) => {
    const { starts, tile } = startsAlong(length, tiles);
    return starts.map((at, i) => ({
      at,
      core: (starts[i + 1] ?? length) - at,
      span: paddedSide(padding, tile),
      // Alpha is enlarged bilinearly, so the core's first pixels depend on the pixels before them.
      margin: Math.min(1, at),
    }));
  };
  const columns = along(image.width);
  return along(image.height).map((row) => ({
    y: row.at,
    height: row.core,
    tiles: columns.map((column) => {
      const [x, y] = [column.at - column.margin, row.at - row.margin];
      return {
        core: { x: column.at, y: row.at, width: column.core, height: row.core },
        source: { x: column.at, y: row.at, width: column.span, height: row.span },
        pixels: { x, y, width: column.margin + column.span, height: row.margin + row.span },
      };
    }),
  }));
}

/**
 * Returns a version of `model` that averages the overlapping tiles of an image of the given size.
 * Its additional resource `band` holds the sums of overlapping results, for one row of tiles at a
 * time.
 * @throws CrispenError `OUT_OF_MEMORY` if the sums of a row of tiles do not fit in one GPU buffer
 */
export async function averagedModel(
  device: Device,
  model: Model,
  image: Size,
  tiles: AveragedTiles,
): Promise<Model> {
  const { program, network } = model;
  const { scale } = network;
  const { packed, source, pixelBytes } = imageResources(program);
  const pack = program.steps.find(({ writes }) => writes.includes(packed));
  const output = program.resourceOf.get(network.graph.output);
  if (!pack || output === undefined) throw internal('the program ends in no conversion');
  const columns = startsAlong(image.width, tiles);
  const rows = startsAlong(image.height, tiles);
  const band = { width: columns.length * scale, height: rows.tile * scale };
  const bandBytes = band.width * band.height * 16;
  if (bandBytes > device.largestBuffer) {
    throw new CrispenError(
      'OUT_OF_MEMORY',
      `A row of tiles of an image ${image.width} pixels wide does not fit a buffer of the GPU.`,
      { hint: 'Cut the image into narrower parts, or choose another model.' },
    );
  }
  const [sums, mean] = [program.resources.length, program.resources.length + 1];
  const withMargin = ({ width, height }: Size) => (width + 1) * (height + 1) * pixelBytes;
  const vector = 4 * ELEMENT_BYTES[program.element];
  const resources: Resource[] = [
    ...program.resources.map((resource, id) =>
      id === source ? { ...resource, bytes: withMargin } : resource,
    ),
    { name: 'band', bytes: () => bandBytes, external: true },
    {
      name: 'mean',
      bytes: ({ width, height }) => width * height * scale ** 2 * vector,
      external: false,
    },
  ];
  /** Returns how many of a tile's columns or rows are also part of the previous tile. */
  const covered = ({ starts, tile }: typeof rows, at: number) => {
    const before = starts[starts.indexOf(at) - 1];
    return before === undefined ? 0 : before + tile - at;
  };
  const blend: Step = {
    name: 'blend',
    kernel: blendKernel(program.element),
    reads: [{ resource: output }],
    writes: [sums, mean],
    scale,
    grid: () => mapGrid(columns.tile * scale, rows.tile * scale, 1),
    params: (size, { place, core }) => {
      if (!place) throw internal('the place of the tile is not known');
      const { x, y } = place;
      return {
        width: columns.tile * scale,
        height: rows.tile * scale,
        map_width: size.width,
        band_width: band.width,
        band_rows: band.height,
        col0: x * scale,
        row0: y * scale,
        fresh_col: covered(columns, x) * scale,
        fresh_row: covered(rows, y) * scale,
        core_width: core.width * scale,
        core_height: core.height * scale,
      };
    },
    multiplyAdds: 0,
    work: 80 * scale ** 2,
  };
  const packMean: Step = {
    ...pack,
    reads: [{ resource: mean }, ...pack.reads.slice(1)],
    params: (size, view) => ({
      ...pack.params(size, view),
      map_width: view.core.width * scale,
      col0: 0,
      row0: 0,
    }),
  };
  const steps = program.steps.flatMap((step) => (step === pack ? [blend, packMean] : [step]));
  const changed = { ...program, resources, steps };
  return { ...model, program: changed, pipelines: await compileSteps(device, changed) };
}
