/**
 * Converts values between the WebAssembly module's memory and planar maps. These conversions are
 * needed to read intermediate results (`trace.ts`), and to run ops in plain TypeScript loops if the
 * module has no function for them (`loops.ts`).
 */
import type { ValueId } from '../engine/compile/fused.ts';
import type { Value } from '../engine/oracle/interpreter.ts';
import { internal } from '../errors.ts';
import type { Graph } from '../graph/graph.ts';
import { type MapView, pixelAt } from './layout.ts';
import type { Places, Tables } from './tasks.ts';

/** Writes a planar map [channels][height][width] to memory. Padding channels become zero. */
export function writePlanar(floats: Float32Array, map: MapView, data: Float32Array): void {
  const { channels, width, height } = map;
  for (let y = 0; y < height; y++) {
    const start = pixelAt(map, y, 0) / 4;
    if (channels % 4 !== 0) floats.fill(0, start, start + (width * map.pixel) / 4);
    for (let c = 0; c < channels; c++) {
      const line = (c * height + y) * width;
      for (let x = 0; x < width; x++) floats[start + (x * map.pixel) / 4 + c] = data[line + x];
    }
  }
}

/** Reads a map as planar f32, [channels][height][width]. */
function readPlanar(floats: Float32Array, map: MapView): Float32Array<ArrayBuffer> {
  const { channels, width, height } = map;
  const data = new Float32Array(channels * height * width);
  for (let c = 0; c < channels; c++) {
    for (let y = 0; y < height; y++) {
      const start = pixelAt(map, y, 0) / 4 + c;
      const line = (c * height + y) * width;
      for (let x = 0; x < width; x++) data[line + x] = floats[start + (x * map.pixel) / 4];
    }
  }
  return data;
}

/**
 * Returns the value that a graph node produced. Maps and vectors are read from `floats`, the
 * module's memory. Other values, such as attention weights, are taken from `tables`.
 */
export function readValue(
  graph: Graph,
  id: ValueId,
  floats: Float32Array,
  places: Places,
  tables: Tables,
): Value {
  const { shape } = graph.nodes[id];
  if (shape.kind === 'map') {
    const map = places.map(id);
    return { ...map, data: readPlanar(floats, map) };
  }
  if (shape.kind === 'vector') {
    const from = places.vector(id) / 4;
    return floats.slice(from, from + shape.length) as Float32Array<ArrayBuffer>;
  }
  const table = tables.get(id);
  if (!table) throw internal(`no value ${id}`);
  return table;
}
