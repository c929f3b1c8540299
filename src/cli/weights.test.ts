import { copyFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { upscaleOnCpu } from '../engine/oracle/interpreter.ts';
import { detect } from '../networks/detect.ts';
import { readImage, writeImage } from '../node/images.ts';
import { PACKAGE_ROOT } from '../node/model.ts';
import { toFloat32 } from '../weights/convert.ts';
import { readWeights } from '../weights/read.ts';
import { readSafetensors } from '../weights/safetensors.ts';
import type { Tensor } from '../weights/tensor.ts';
import { writeSafetensors } from '../weights/writeSafetensors.ts';
import { convertCommand } from './convert-run.ts';
import { type Inspection, inspectCommand } from './inspect-run.ts';
import { upscaleCommand } from './upscale.ts';

const CHECKPOINTS = `${PACKAGE_ROOT}test/checkpoints`;
const RRDB = `${CHECKPOINTS}/rrdb_x8_oldkeys_half_model_zip.pth`;
const COMPACT = `${CHECKPOINTS}/compact_x3_params_bf16_zip.pth`;

let folder: string;
const at = (name: string): string => join(folder, name);
let printed: string[];
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'crispen-weights-'));
});
afterAll(() => rm(folder, { recursive: true }));
afterEach(() => vi.restoreAllMocks());

async function run(command: (args: string[]) => Promise<number>, ...args: string[]) {
  printed = [];
  vi.spyOn(console, 'log').mockImplementation((line: string) => void printed.push(line));
  return command(args);
}
const inspection = (): Inspection => JSON.parse(printed[0]);

describe('inspect', () => {
  test('a checkpoint of old names', async () => {
    expect(await run(inspectCommand, RRDB, '--json')).toBe(0);
    expect(inspection()).toMatchObject({
      format: 'torch-zip',
      wrapper: 'model/',
      architecture: 'esrgan',
      scale: 8,
      scaleSource: 'shapes',
      inputRange: 1,
      problem: null,
    });
    expect(inspection().tensors).toContainEqual({
      name: 'model.0.weight',
      dtype: 'f16',
      shape: [6, 3, 3, 3],
    });
    const stored = inspection().tensors.reduce(
      (sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1),
      0,
    );
    expect(inspection().parameters).toBe(stored);
  });

  test('a file whose scale only its name tells, renamed', async () => {
    const shipped = `${PACKAGE_ROOT}public/models/a2n-x3.safetensors`;
    await run(inspectCommand, shipped, '--json');
    expect(inspection()).toMatchObject({ architecture: 'a2n', scale: 3, scaleSource: 'name' });
    await copyFile(shipped, at('mine.safetensors'));
    expect(await run(inspectCommand, at('mine.safetensors'), '--json')).toBe(1);
    expect(inspection()).toMatchObject({
      architecture: 'a2n',
      scale: null,
      scaleSource: null,
      problem: { code: 'MODEL_UNSUPPORTED', hint: expect.stringContaining('--scale') },
    });
    expect(await run(inspectCommand, at('mine.safetensors'), '--json', '--scale', '3')).toBe(0);
    expect(inspection()).toMatchObject({ scale: 3, scaleSource: 'option', receptiveField: 71 });
  });

  test('in words, a network that Crispen does not run', async () => {
    const tensor = { dtype: 'f32', shape: [1], bytes: new Uint8Array(4) } as const;
    await writeFile(at('odd.safetensors'), writeSafetensors(new Map([['odd\u001b[2J', tensor]])));
    expect(await run(inspectCommand, at('odd.safetensors'))).toBe(1);
    const text = printed.join('\n');
    expect(text).toContain('MODEL_UNSUPPORTED');
    expect(text).not.toContain('\u001b');
  });
});

describe('what a file does not tell', () => {
  /**
   * Returns the tensors of a Compact network that has three convolutions and whose activation has
   * no weights.
   */
  const plain = (scale: number) => {
    let seed = 1;
    const tensor = (...shape: number[]): Tensor => {
      const values = Float32Array.from({ length: shape.reduce((a, b) => a * b) }, () => {
        seed = (seed * 48271) % 2147483647;
        return seed / 2147483647 - 0.5;
      });
      return { dtype: 'f32', shape, bytes: new Uint8Array(values.buffer) };
    };
    const tensors = new Map<string, Tensor>();
    for (const [layer, cIn, cOut] of [
      ['body.0', 3, 4],
      ['body.2', 4, 4],
      ['body.4', 4, 3 * scale ** 2],
    ] as const) {
      tensors.set(`${layer}.weight`, tensor(cOut, cIn, 3, 3));
      tensors.set(`${layer}.bias`, tensor(cOut));
    }
    return tensors;
  };
  const LEAKY = 'leaky ReLU of slope 0.1, since there are no slopes';
  const data = Uint8ClampedArray.from({ length: 6 * 5 * 4 }, (_, i) =>
    i % 4 === 3 ? 255 : (i * 37) % 256,
  );

  test('is said and can be set', async () => {
    const image = { width: 6, height: 5, data };
    await writeFile(at('plain-x2.safetensors'), writeSafetensors(plain(2)));
    await writeImage(at('in.png'), image);
    const args = [at('in.png'), at('out.png'), '--weights', at('plain-x2.safetensors')];
    const enlarge = async (...more: string[]) => {
      await run(upscaleCommand, ...args, '--device', 'cpu', '--json', ...more);
      return JSON.parse(printed[0]).assumptions;
    };
    for (const [activation, options, assumptions] of [
      ['leakyrelu', [], [LEAKY]],
      ['relu', ['--activation', 'relu'], []],
      ['leakyrelu', ['--activation', 'leakyrelu'], []],
    ] as const) {
      expect(await enlarge(...options)).toEqual(assumptions);
      const { network, weights } = detect(plain(2), { activation });
      const expected = await upscaleOnCpu(network, weights, image);
      expect(await readImage(at('out.png'))).toEqual(expected.image);
      await run(inspectCommand, at('plain-x2.safetensors'), '--json', ...options);
      expect(inspection().assumptions).toEqual(assumptions);
    }
    await run(upscaleCommand, ...args, '--device', 'cpu');
    expect(printed).toContain(`Assumed: ${LEAKY}.`);
  });

  test('a network of scale 1 that restores, unless the task or the name says what', async () => {
    await writeImage(at('in.png'), { width: 6, height: 5, data });
    const said = 'it restores the image at its own size';
    for (const [name, options, assumptions] of [
      ['mine', [], [LEAKY, said]],
      ['mine', ['--task', 'denoise'], [LEAKY]],
      ['mine-noise', [], [LEAKY]],
    ] as const) {
      const file = at(`${name}.safetensors`);
      await writeFile(file, writeSafetensors(plain(1)));
      const args = [at('in.png'), at('out.png'), '--weights', file, '--device', 'cpu', '--json'];
      await run(upscaleCommand, ...args, ...options);
      expect(JSON.parse(printed[0]).assumptions).toEqual(assumptions);
    }
  });

  test.each([
    ['another activation', ['--weights', 'plain-x2.safetensors', '--activation', 'tanh']],
    ['no number', ['--weights', 'plain-x2.safetensors', '--residual-scale', 'much']],
    ['a shipped model, of which all is known', ['--activation', 'relu']],
  ])('%s: a usage error', async (_, options) => {
    const given = options.map((arg) => (arg.endsWith('.safetensors') ? at(arg) : arg));
    await expect(run(upscaleCommand, at('in.png'), at('out.png'), ...given)).rejects.toMatchObject({
      code: 'INVALID_INPUT',
      message: expect.stringContaining('--'),
    });
  });
});

describe('convert', () => {
  test('writes the same tensors bit by bit', async () => {
    expect(await run(convertCommand, COMPACT, at('a.safetensors'), '--json')).toBe(0);
    const before = await readWeights(await readFile(COMPACT));
    const after = readSafetensors(await readFile(at('a.safetensors')));
    expect([...after.tensors.keys()].sort()).toEqual([...before.tensors.keys()].sort());
    for (const [name, { dtype, shape, bytes }] of before.tensors) {
      const other = after.tensors.get(name)!;
      expect([name, other.dtype, other.shape]).toEqual([name, dtype, shape]);
      expect(Buffer.compare(other.bytes, bytes)).toBe(0);
    }
    expect(JSON.parse(printed[0])).toMatchObject({
      format: 'torch-zip',
      tensors: before.tensors.size,
    });
  });

  test('halves when asked, and the network still runs', async () => {
    const double = `${CHECKPOINTS}/edsr_x2_range1_double_plain_zip.pt`;
    await run(convertCommand, double, at('h.safetensors'), '--f16');
    const { tensors } = readSafetensors(await readFile(at('h.safetensors')));
    const { tensors: full } = await readWeights(await readFile(double));
    for (const [name, tensor] of tensors) {
      expect(tensor.dtype).toBe('f16');
      const exact = toFloat32(full.get(name)!);
      toFloat32(tensor).forEach((v, i) => {
        expect(Math.abs(v - exact[i])).toBeLessThanOrEqual(Math.abs(exact[i]) / 2048 + 3e-8);
      });
    }
    const data = new Uint8ClampedArray(6 * 5 * 4).map((_, i) =>
      i % 4 === 3 ? 255 : (i * 37) % 256,
    );
    await writeImage(at('in.png'), { width: 6, height: 5, data });
    const args = [at('in.png'), at('out.png'), '--weights', at('h.safetensors')];
    expect(await run(upscaleCommand, ...args, '--device', 'cpu', '--json')).toBe(0);
    expect(JSON.parse(printed[0])).toMatchObject({ model: 'h', scale: 2, output: [12, 10] });
  });

  test.each([
    [[RRDB], /one output/],
    [[RRDB, 'b.pth'], /a \.safetensors file/],
  ])('refuses %j', async (args, message) => {
    await expect(run(convertCommand, ...args)).rejects.toThrow(message);
  });

  test('refuses values beyond f16', async () => {
    const bytes = new Uint8Array(new Float32Array([1, -70000]).buffer);
    const large = writeSafetensors(new Map([['w', { dtype: 'f32', shape: [2], bytes }]]));
    await writeFile(at('large.safetensors'), large);
    const args = [at('large.safetensors'), at('none.safetensors'), '--f16'];
    await expect(run(convertCommand, ...args)).rejects.toThrow('w contains -70000');
  });
});
