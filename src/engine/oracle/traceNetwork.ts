import { throwIfAborted } from '../../errors.ts';
import type { NodeId } from '../../graph/graph.ts';
import { mapSize } from '../../graph/shape.ts';
import type { ElementType } from '../../kernels/kernel.ts';
import { unpackRows } from '../../kernels/nonlocal/rows.ts';
import { fromBlocked, toBlocked } from '../../kernels/planar.ts';
import type { Network } from '../../networks/network.ts';
import type { TensorMap } from '../../weights/tensor.ts';
import type { Fusion } from '../compile/fuse.ts';
import { bindWeights } from '../compile/weights.ts';
import type { Engine, EngineParts } from '../engine.ts';
import { Arena, markBytes } from '../gpu/arena.ts';
import { type Buffers, withBuffers } from '../gpu/buffers.ts';
import { USAGE } from '../gpu/device.ts';
import { decodeElements, encodeElements } from '../gpu/element.ts';
import { uploadModel } from '../gpu/model.ts';
import { download } from '../gpu/reading.ts';
import { Receipt } from '../gpu/receipt.ts';
import { lowerFor } from '../lowerFor.ts';
import { ProgressMeter } from '../progress.ts';
import type { RunOptions, TracedTensor } from '../types.ts';
import { findTaps, type PlanarInput, paddedInput, tracedMap } from './trace.ts';

/**
 * Runs a whole network on a planar f32 input. Returns the unclamped values of the nodes named in
 * `taps`. Fusion (default level `blocks`) stops at each tapped node. It always stops at the output
 * node, so a tap on that node changes nothing.
 * @throws CrispenError like `Engine.upscale`, and `INVALID_INPUT` if `taps` contains a name that
 *   no node has.
 */
export const trace = (
  engine: Engine,
  network: Network,
  weights: TensorMap,
  input: PlanarInput,
  taps: readonly string[],
  options: TraceOptions = {},
): Promise<Map<string, TracedTensor>> =>
  engine.run((parts) => traceNetwork(parts, network, weights, input, taps, options));

interface TraceOptions extends RunOptions {
  readonly fuse?: Fusion;
  readonly precision?: ElementType;
}

async function traceNetwork(
  parts: EngineParts,
  network: Network,
  weights: TensorMap,
  input: PlanarInput,
  taps: readonly string[],
  { fuse = 'blocks', precision, signal, onProgress }: TraceOptions,
): Promise<Map<string, TracedTensor>> {
  throwIfAborted(signal);
  const { device, pace } = parts;
  const { graph } = network;
  const keep = findTaps(graph, taps);
  const program = await lowerFor(parts, network, { fuse, precision, keep, image: null });
  const { element } = program;
  const kept = new Set([...keep].map((id) => program.resourceOf.get(id) as number));
  const model = await uploadModel(device, network, program, bindWeights(graph, weights));
  const map = paddedInput(network, input);
  const { width, height } = map;
  const size = { width, height };
  const traceIn = async (buffers: Buffers): Promise<Map<string, TracedTensor>> => {
    const arena = await Arena.create(buffers, model, size, kept);
    const content = encodeElements(toBlocked(map), element);
    const { MAP_READ, COPY_DST } = USAGE;
    const proof = await buffers.allocate('allocating the receipt', (make) =>
      make('receipt', content.byteLength + markBytes(program, size), MAP_READ | COPY_DST),
    );
    const receipt = new Receipt(device, proof, 0);
    const whole = { x: 0, y: 0, width, height };
    const steps = arena.sized({ image: size, core: whole, source: whole });
    const meter = new ProgressMeter(
      steps.reduce((sum, { work }) => sum + work, 0),
      onProgress,
    );
    await arena.run(steps, {
      pace,
      signal,
      onWork: (work) => meter.advance(work),
      receipt,
      write: () => arena.write(program.input, content),
      // To prove that the upload succeeded, the input is copied to the receipt and later compared
      // with `content`. The copy is made before the run, because the run may overwrite the input.
      start: (encoder) => receipt.expect(encoder, arena.buffer(program.input), 0, content),
    });
    await device.mapped(proof, receipt.end, (bytes) => receipt.check(bytes));
    meter.finish();
    const traced = new Map<string, TracedTensor>();
    for (const id of keep) {
      const resource = program.resourceOf.get(id) as number;
      const bytes = program.resources[resource].bytes(size);
      traced.set(
        graph.nodes[id].name,
        tensorOf(id, await download(device, arena.buffer(resource), bytes)),
      );
    }
    return traced;
  };
  const tensorOf = (id: NodeId, content: ArrayBuffer): TracedTensor => {
    const { shape } = graph.nodes[id];
    const values = decodeElements(content, shape.kind === 'map' ? element : 'f32');
    if (shape.kind === 'vector') {
      return { shape: [shape.length], data: values.slice(0, shape.length) };
    }
    if (shape.kind === 'map') {
      const { width: w, height: h } = mapSize(shape, size);
      return tracedMap(network, id, fromBlocked(values, shape.channels, h, w), input);
    }
    const dims = shape.dims(size);
    const data = shape.integer ? Float32Array.from(new Uint32Array(content)) : values;
    // On the GPU, each row of a table with more than two dimensions is padded to a multiple of four
    // values.
    return { shape: dims, data: dims.length > 2 ? unpackRows(data, dims[dims.length - 1]) : data };
  };
  try {
    return await withBuffers(device, traceIn, pace);
  } finally {
    model.weights.destroy();
  }
}
