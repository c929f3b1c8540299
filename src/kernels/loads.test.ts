/**
 * Tests the memory accesses of convolution shaders: how they index arrays, which pixels they read,
 * and how many loads their hot loops perform. The tests parse each shader's source after its
 * directives (see wgsl.ts) have been expanded.
 */
import { describe, expect, it } from 'vitest';
import { CONV_VARIANTS, FAMILIES } from '../engine/tune/tuning.ts';
import type { ConvSpec, ConvVariant } from './conv/conv.ts';
import { EXAMPLES } from './examples.ts';
import { accessesOf, countLoads, evaluate, hotLoops, parseShader, walk } from './loads.ts';

/**
 * Software adapters run these variants. Each invocation computes several pixels of a row, so
 * neighbouring invocations do not read neighbouring pixels. This costs nothing on software
 * adapters, because they do not combine the loads of neighbouring invocations.
 */
const FOR_SOFTWARE = ['plain', 'quad'];
const OFFER = {
  features: ['shader-f16', 'subgroups'],
  matrix: { m: 16, n: 8, k: 16, rest: 8, subgroup: 32, bytes: 32768 },
};
const spec: ConvSpec = {
  kernel: 3,
  cIn: 40,
  cOut: 40,
  upsample: 1,
  act0: null,
  multiply: false,
  add: false,
  factor: 1,
  act1: null,
};
const LISTED = await Promise.all(
  Object.entries(CONV_VARIANTS).map(
    async ([name, { load }]): Promise<[string, ConvVariant]> => [name, await load(OFFER)],
  ),
);
const codes = LISTED.flatMap(([name, { kernel, only = 'f32' }]) =>
  ([3, 1] as const).map(
    (side) => [`${name} ${side}x${side}`, kernel({ ...spec, kernel: side }, only).code] as const,
  ),
);
const FUSED = ['attention/gate', 'attention/mix', 'conv/gate'];
const fused = FUSED.map((name) => [name, EXAMPLES[name].default('f32').code] as const);
const conv = EXAMPLES['conv/conv'];
const ends = ['strips-nearest', 'parts-halo', 'pack-shared'].map(
  (name) => [`conv ${name}`, conv[name]('f32').code] as const,
);

describe('no private array is indexed by anything but a literal', () => {
  it.each([...codes, ...fused, ...ends])('%s', (name, code) => {
    const whole = parseShader(code);
    // After the hot loops, the quad variants copy their sums to an array and index it with a
    // variable. This is allowed, so only the hot loops of these variants are checked.
    const loops = { ...whole, functions: new Map([['main', hotLoops(whole)]]) };
    const shader = name.startsWith('quad') ? loops : whole;
    const own = [...code.matchAll(/var(?:<(?:private|function)>)? (\w+): array</g)].map(
      ([, n]) => n,
    );
    const wrong: string[] = [];
    walk(shader, new Map(), (tokens) => {
      for (const { name, index } of accessesOf(tokens)) {
        const isLiteral = index.length === 1 && /^\d+u?$/.test(index[0]);
        if (own.includes(name) && !isLiteral) wrong.push(`${name}[${index.join(' ')}]`);
      }
    });
    expect(wrong).toEqual([]);
  });

  it('an array of sums that a loop indexes would be found', () => {
    const code =
      'fn main() { var sums: array<f32, 4>; for (var i = 0u; i < 4u; i++) { sums[i] = 1; } }';
    const found: string[] = [];
    walk(parseShader(code), new Map(), (tokens) => {
      found.push(...accessesOf(tokens).map(({ name, index }) => `${name}[${index.join('')}]`));
    });
    expect(found).toEqual(Array(4).fill('sums[i]'));
  });
});

/**
 * Returns the indices of the pixels that invocation `(x, y)` of a workgroup reads. The workgroup is
 * not at an edge of the map.
 */
function pixelsRead(code: string, x: number, y: number): number[] {
  const shader = parseShader(code);
  const width = shader.constants.get('WIDTH') ?? shader.constants.get('LANES') ?? 32;
  const given = new Map(
    Object.entries({
      'group.x': 3,
      'group.y': 3,
      'group.z': 1,
      'local.x': x,
      'local.y': y,
      index: y * width + x,
      'params.width': 1000,
      'params.height': 1000,
      'params.map_width': 1000,
      'params.map_height': 1000,
      'params.row0': 0,
      'params.col0': 0,
      'params.group_row': 0,
      'params.in_blocks': 10,
      'params.upsample': 2,
      part: 0,
      base: 0,
    }),
  );
  const read: number[] = [];
  const loops = { ...shader, functions: new Map([['main', hotLoops(shader)]]) };
  walk(loops, given, (tokens, values) => {
    for (const { name, index, isWritten } of accessesOf(tokens)) {
      const isMap = ['x', 'x0', 't', 'gated', 'halo'].includes(name);
      const value = isMap && !isWritten ? evaluate(index, values) : null;
      if (value !== null) read.push(value);
    }
  });
  return read;
}

describe('neighbouring invocations read neighbouring pixels', () => {
  const isForSoftware = (name: string) => FOR_SOFTWARE.some((one) => name.startsWith(one));
  const forGpus = codes.filter(([name]) => !isForSoftware(name));
  it.each([...forGpus, ...fused, ...ends])('%s', (name, code) => {
    const [here, beside] = [pixelsRead(code, 4, 1), pixelsRead(code, 5, 1)];
    expect(here.length).toBeGreaterThan(0);
    // If a kernel enlarges its input by 2, two neighbouring invocations can read the same pixel.
    const steps = /nearest|gate$/.test(name) && !name.startsWith('attention') ? [0, 1] : [1];
    here.forEach((index, i) => {
      expect(steps).toContain(beside[i] - index);
    });
  });

  it('the plain shape reads eight pixels apart', () => {
    const code = conv.default('f32').code;
    const [here, beside] = [pixelsRead(code, 1, 1), pixelsRead(code, 2, 1)];
    expect(beside[0] - here[0]).toBe(8);
  });
});

describe('vector loads per 384 multiply-adds of a 3x3 convolution', () => {
  const per384 = (code: string) => {
    const { storage, uniform, workgroup, multiplyAdds } = countLoads(code);
    return [storage, uniform, workgroup].map(
      (loads) => Math.round((loads * 3840) / multiplyAdds) / 10,
    );
  };
  it.each([
    ['default', [22, 0, 0]],
    ['strips', [17, 0, 0]],
    ['uniform', [5, 12, 0]],
    ['shared', [5.1, 0, 12]],
    ['halo', [1.8, 0, 17]],
    // Each lane of a quad loads a quarter of the weights and shares it with the other three lanes.
    ['quad5', [5, 0, 0]],
    ['quad4', [5.5, 0, 0]],
    ['quad3', [6.3, 0, 0]],
    ['quad1', [13, 0, 0]],
  ])('%s', (variant, expected) => {
    expect(per384(conv[variant]('f32').code)).toEqual(expected);
  });

  it('loads from storage at most half of what it was, 22, and no more in all, for NVIDIA', () => {
    const family = FAMILIES.find(({ family }) => family === 'nvidia');
    const variants = new Map(LISTED);
    for (const [method, element] of [
      [family?.conv, 'f32'],
      [family?.half?.conv, 'f16'],
    ] as const) {
      const variant = variants.get(String(method)) as ConvVariant;
      const [storage, uniform, workgroup] = per384(variant.kernel(spec, element).code);
      expect(storage).toBeLessThanOrEqual(11);
      expect(storage + uniform + workgroup).toBeLessThanOrEqual(22);
      expect(storage).toBeGreaterThan(0);
    }
  });

  it('counts those of the whole kernel in fused blocks', () => {
    const { storage, workgroup, multiplyAdds } = countLoads(
      EXAMPLES['attention/gate'].default('f32').code,
    );
    // An invocation computes four output channels of eight pixels in two 3x3 convolutions and one
    // 1x1 convolution. Each convolution reads ten blocks of four channels.
    expect(multiplyAdds).toBe(10 * 8 * 16 * 19);
    expect([storage, workgroup]).toEqual([10 * (2 * (30 + 36) + 4), 10 * 8]);
  });
});
