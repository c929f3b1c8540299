import { describe, expect, it } from 'vitest';
import { MODEL_FILES } from '../src/catalog/files.ts';
import { shippedNetwork } from '../src/catalog/network.ts';
import { GraphBuilder } from '../src/graph/graph.ts';
import type { Network } from '../src/networks/network.ts';
import { fromFloat32 } from '../src/weights/convert.ts';
import type { Tensor, TensorMap } from '../src/weights/tensor.ts';
import { writeOnnx } from './onnx.ts';

type Field = { readonly field: number; readonly value: bigint | Uint8Array };

/** Parses a Protocol Buffers message into its fields, using only the format's rules. */
function parse(bytes: Uint8Array): Field[] {
  const fields: Field[] = [];
  let at = 0;
  const varint = () => {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = bytes[at++];
      value |= BigInt(byte & 127) << shift;
      if (byte < 128) return value;
    }
  };
  while (at < bytes.length) {
    const tag = Number(varint());
    const field = tag >> 3;
    if ((tag & 7) === 0) fields.push({ field, value: varint() });
    else {
      const length = (tag & 7) === 5 ? 4 : Number(varint());
      fields.push({ field, value: bytes.subarray(at, at + length) });
      at += length;
    }
  }
  expect(at).toBe(bytes.length);
  return fields;
}

const all = (fields: readonly Field[], field: number) =>
  fields.filter((one) => one.field === field).map(({ value }) => value);
const messages = (fields: readonly Field[], field: number) =>
  (all(fields, field) as Uint8Array[]).map(parse);
const texts = (fields: readonly Field[], field: number) =>
  (all(fields, field) as Uint8Array[]).map((bytes) => new TextDecoder().decode(bytes));

const builder = new GraphBuilder();
const input = builder.input('input', 3);
const conv = builder.conv('conv', input, { layer: 'conv', kernel: 3, cOut: 3, bias: true });
const lrelu = builder.leakyRelu('lrelu', conv, 0.2);
const up = builder.nearest('up', lrelu, 2);
const skip = builder.bilinear('skip', input, 2);
const network: Network = {
  architecture: 'tiny',
  scale: 2,
  inputRange: 1,
  graph: builder.build(builder.add('sum', up, skip, 0.5)),
};
const ramp = (...shape: number[]) => {
  const size = shape.reduce((a, b) => a * b, 1);
  const values = Float32Array.from({ length: size }, (_, i) => i / 8);
  return fromFloat32(values, shape, 'f32');
};
const weights: TensorMap = new Map([
  ['conv.weight', ramp(3, 3, 3, 3)],
  ['conv.bias', ramp(3)],
]);

describe('writeOnnx', () => {
  const model = parse(writeOnnx(network, weights));
  const [graph] = messages(model, 7);
  const nodes = messages(graph, 1);

  it('writes a model of opset 17', () => {
    expect(all(model, 1)).toEqual([8n]);
    expect(messages(model, 8).map((opset) => all(opset, 2))).toEqual([[17n]]);
  });

  it('writes the ops in order, each reading what an earlier one or a weight gives', () => {
    const types = nodes.flatMap((node) => texts(node, 4));
    expect(types).toEqual(['Conv', 'LeakyRelu', 'Resize', 'Resize', 'Mul', 'Add']);
    const known = new Set(['', ...texts(messages(graph, 11)[0], 1)]);
    for (const initializer of messages(graph, 5)) known.add(texts(initializer, 8)[0]);
    for (const node of nodes) {
      for (const name of texts(node, 1)) expect(known).toContain(name);
      for (const name of texts(node, 2)) known.add(name);
    }
    expect(known).toContain(texts(messages(graph, 12)[0], 1)[0]);
  });

  it('writes weights with their shapes and values, little-endian', () => {
    const found = messages(graph, 5).find((tensor) => texts(tensor, 8)[0] === 'conv.weight')!;
    expect(all(found, 1)).toEqual([3n, 3n, 3n, 3n]);
    expect(all(found, 2)).toEqual([1n]);
    const [raw] = all(found, 9) as Uint8Array[];
    const view = new DataView(raw.buffer, raw.byteOffset, raw.byteLength);
    expect(raw.length).toBe(81 * 4);
    expect(view.getFloat32(80 * 4, true)).toBe(10);
  });

  it('writes attributes with their types', () => {
    const attributes = (index: number) =>
      new Map(messages(nodes[index], 5).map((attribute) => [texts(attribute, 1)[0], attribute]));
    const pads = attributes(0).get('pads')!;
    expect(all(pads, 8)).toEqual([1n, 1n, 1n, 1n]);
    expect(all(pads, 20)).toEqual([7n]);
    const [alpha] = all(attributes(1).get('alpha')!, 2) as Uint8Array[];
    expect(new DataView(alpha.buffer, alpha.byteOffset).getFloat32(0, true)).toBeCloseTo(0.2);
    expect(texts(attributes(2).get('nearest_mode')!, 4)).toEqual(['floor']);
    expect(texts(attributes(3).get('coordinate_transformation_mode')!, 4)).toEqual(['half_pixel']);
  });

  it('leaves height and width open', () => {
    const [type] = messages(messages(graph, 11)[0], 2);
    const dims = messages(messages(messages(type, 1)[0], 2)[0], 1);
    expect(dims.map((dim) => all(dim, 1)[0] ?? texts(dim, 2)[0])).toEqual([
      1n,
      3n,
      'height',
      'width',
    ]);
  });
});

/** The ONNX writer does not support sorting, attention by index or window attention. */
const PLAIN = MODEL_FILES.filter(
  ({ network }) => !['lcoan', 'asid', 'edsr-acla'].includes(network),
);
it.each(PLAIN.map((file) => [file.id, file]))('writes all ops of %s', async (_, file) => {
  const shipped = await shippedNetwork(file);
  const zeros = shipped.graph.weights.map(({ name, shape }): [string, Tensor] => {
    const size = shape.reduce((a, b) => a * b, 1);
    return [name, fromFloat32(new Float32Array(size), shape, 'f32')];
  });
  expect(() => writeOnnx(shipped, new Map(zeros))).not.toThrow();
});
