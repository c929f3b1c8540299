import { describe, expect, it } from 'vitest';
import type { Outline } from '../tensor.ts';
import type { PickleValue } from './pickleValue.ts';
import { StorageView, TensorRef } from './storage.ts';
import { stripPrefixes, unwrap } from './unwrap.ts';

const view = new StorageView({ key: '0', dtype: 'f32', count: 1 }, 0, 1);
const tensor = (): TensorRef => new TensorRef(view, 0, [1], [1]);

/**
 * A short notation for a dictionary. An object stands for a dictionary with the same entries. A
 * list of strings stands for a dictionary of tensors, and the strings are the tensors' names.
 */
type Sketch = readonly string[] | { readonly [name: string]: Sketch | number | null };
function draw(sketch: Sketch): Map<PickleValue, PickleValue> {
  if (Array.isArray(sketch)) return new Map(sketch.map((name) => [name, tensor()]));
  return new Map(
    Object.entries(sketch).map(([name, value]) => [
      name,
      typeof value === 'object' && value !== null ? draw(value) : value,
    ]),
  );
}

describe('unwrap', () => {
  const plain = ['head.weight', 'head.bias'];
  const under = (prefix: string) => plain.map((name) => prefix + name);
  const cases: readonly (readonly [string, Sketch, string])[] = [
    ['a plain dictionary', plain, ''],
    ['params_ema before params', { params: ['decoy'], params_ema: plain }, 'params_ema/'],
    ['params-ema', { params: ['decoy'], 'params-ema': plain }, 'params-ema/'],
    ['state_dict beside other things', { epoch: 3, state_dict: plain, x: null }, 'state_dict/'],
    ['an empty params_ema passed over', { params_ema: [], params: plain }, 'params/'],
    ['settings called params passed over', { params: { lr: 1 }, state_dict: plain }, 'state_dict/'],
    [
      'model_state_dict',
      { model_state_dict: plain, optimizer: { state: {} } },
      'model_state_dict/',
    ],
    ['a generator beside a discriminator', { net_d: ['decoy'], net_g: plain }, 'net_g/'],
    ['single entries of any name, twice', { foo: { bar: plain } }, 'foo/bar/'],
    [
      'a wrapper in a wrapper',
      { state_dict: { params_ema: plain, params: ['x'] } },
      'state_dict/params_ema/',
    ],
    ['module.', under('module.'), 'module.'],
    ['module.netG.', under('module.netG.'), 'module.netG.'],
    ['netG.module.', under('netG.module.'), 'netG.module.'],
    [
      '_orig_mod.module.generator.net_g.',
      under('_orig_mod.module.generator.net_g.'),
      '_orig_mod.module.generator.net_g.',
    ],
    ['module. twice', under('module.module.'), 'module.module.'],
    ['both', { step: 1, state_dict: under('module.') }, 'state_dict/module.'],
  ];
  it.each(cases)('%s', (_, sketch, path) => {
    const result = unwrap(draw(sketch));
    expect(result.path).toBe(path);
    expect([...result.tensors.keys()]).toEqual(plain);
  });

  it('leaves a prefix that not all names have', () => {
    const names = ['module.a', 'b'];
    expect([...unwrap(draw(names)).tensors.keys()]).toEqual(names);
  });

  it('leaves a prefix that would leave nothing', () => {
    expect([...unwrap(draw(['module.', 'module.a'])).tensors.keys()]).toEqual([
      'module.',
      'module.a',
    ]);
  });

  it('leaves out what is no tensor', () => {
    const root = draw(plain)
      .set('step', 5)
      .set(7, tensor())
      .set('inner', draw(['x']));
    expect([...unwrap(root).tensors.keys()]).toEqual(plain);
  });

  describe('a model. before all names', () => {
    const starts = (start: string) => (tensors: Outline) =>
      [...tensors.keys()].every((name) => name.startsWith(start));
    const paths = (names: readonly string[], recognise?: (tensors: Outline) => boolean) => {
      const { tensors, path } = unwrap(draw(names), recognise);
      return [path, ...tensors.keys()];
    };
    it('stays without a recogniser, or where nobody knows the network either way', () => {
      expect(paths(under('model.'))[0]).toBe('');
      expect(paths(under('model.'), () => false)[0]).toBe('');
    });
    it('stays where it belongs to the network', () => {
      expect(paths(['model.0.weight'], starts('model.'))).toEqual(['', 'model.0.weight']);
    });
    it('goes where the network is known without it', () => {
      expect(paths(under('model.'), starts('head.'))).toEqual(['model.', ...plain]);
      expect(paths(under('model.model.'), starts('head.'))).toEqual(['model.model.', ...plain]);
    });
    it('goes together with prefixes around and inside of it', () => {
      const names = under('module.model._orig_mod.');
      expect(paths(names, starts('head.'))).toEqual(['module.model._orig_mod.', ...plain]);
    });
    it('goes once where the network has one of its own', () => {
      const known = (tensors: Outline) => tensors.has('model.0.weight');
      expect(paths(['model.model.0.weight'], known)).toEqual(['model.', 'model.0.weight']);
    });
  });

  it('says what it found instead of tensors', () => {
    const unsupported = (message: RegExp) =>
      expect.objectContaining({
        code: 'MODEL_UNSUPPORTED',
        message: expect.stringMatching(message),
      });
    expect(() => unwrap(draw({ epoch: 1, lr: 2 }))).toThrow(unsupported(/entries epoch, lr/));
    expect(() => unwrap([tensor()])).toThrow(unsupported(/a list/));
    expect(() => unwrap(null)).toThrow(unsupported(/a single value/));
    expect(() => unwrap(new Map())).toThrow(unsupported(/an empty dictionary/));
  });

  it('comes back from dictionaries that contain themselves, and from deep ones', () => {
    const cyclic = new Map<PickleValue, PickleValue>();
    for (const name of ['params', 'state_dict', 'model', 'net']) cyclic.set(name, cyclic);
    expect(() => unwrap(cyclic)).toThrow(/no state dictionary/);
    let deep = draw(plain);
    for (let i = 0; i < 10_000; i++) deep = new Map([['a', deep]]);
    expect(() => unwrap(deep)).toThrow(/no state dictionary/);
  });
});

describe('long names', () => {
  const outline = (names: readonly string[]) =>
    new Map(names.map((name) => [name, { dtype: 'f32', shape: [1] } as const]));
  /**
   * Creates a recogniser that counts its calls and recognises nothing. The last test checks this
   * count rather than the running time, which depends on how busy the machine is.
   */
  const counting = () => {
    let calls = 0;
    return {
      recognise: () => {
        calls++;
        return false;
      },
      calls: () => calls,
    };
  };

  it('of 700,000 prefixes are refused at once', () => {
    const start = process.cpuUsage();
    const names = ['weight', 'bias'].map((end) => `${'module.'.repeat(700_000)}${end}`);
    expect(() => stripPrefixes(outline(names))).toThrow(
      expect.objectContaining({ code: 'MODEL_UNSUPPORTED' }),
    );
    expect(process.cpuUsage(start).user / 1000).toBeLessThan(2000);
  });

  it('of 70 prefixes in 50,000 tensors are stripped in one pass', () => {
    const start = process.cpuUsage();
    const prefix = 'module.'.repeat(70);
    const names = Array.from({ length: 50_000 }, (_, i) => `${prefix}${i}`);
    const found = stripPrefixes(outline(names));
    expect(process.cpuUsage(start).user / 1000).toBeLessThan(2000);
    expect([found.prefix, found.tensors.size, found.tensors.has('49999')]).toEqual([
      prefix,
      50_000,
      true,
    ]);
  });

  it('of many model. are looked at a few times', () => {
    const { recognise, calls } = counting();
    const found = stripPrefixes(outline([`${'model.'.repeat(80)}weight`]), recognise);
    expect(found.prefix).toBe('');
    expect(calls()).toBeLessThan(10);
  });
});
