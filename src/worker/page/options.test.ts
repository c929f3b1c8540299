import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import {
  type CallName,
  RIGHT,
  type WrongCall,
  wrongCalls,
  wrongValues,
} from '../../../test/wrongOptions.ts';
import { checkOptions, type Rule, type Rules } from '../../options.ts';
import { createUpscaler, type Upscaler } from './client.ts';
import { CALLS } from './options.ts';

const invalid = expect.objectContaining({ code: 'INVALID_INPUT' });

const check = (call: CallName, options: unknown) =>
  checkOptions(call, options as object, CALLS[call] as Rules<object>);

const every = Object.entries(CALLS).flatMap(([call, rules]) =>
  Object.entries<Rule>(rules).map(
    ([name, rule]) => [call as CallName, name, rule.wants, rule] as const,
  ),
);

describe('the table', () => {
  it('holds all options of all calls', () => {
    expect(every.length).toBeGreaterThan(60);
    expect(new Set(every.map(([, name]) => name))).toEqual(new Set(Object.keys(RIGHT)));
  });

  it.each(every)('%s: %s takes %s', (call, name, wants, rule) => {
    const right = RIGHT[name]();
    expect(check(call, { [name]: right })).toEqual({ [name]: right });
    const wrong = wrongValues(rule);
    expect(wrong.length).toBeGreaterThan(10);
    for (const value of wrong) {
      const attempt = () => check(call, { [name]: value });
      expect(attempt, `${name}: ${typeof value}`).toThrow(invalid);
      expect(attempt).toThrow(
        expect.objectContaining({
          message: expect.stringContaining(`The option ${name} is `),
          hint: `Give ${wants}.`,
        }),
      );
    }
  });

  it.each([
    ['scale', [1e-9, 0.5, 2.7, 16], [0, 16.01]],
    ['width', [1, 2 ** 31 - 1], [0, 2 ** 31]],
    ['quality', [0, 1], [-0.001, 1.001]],
    ['preview', [1, 10.5, 1e9], [0, 0.99, -5]],
    ['tileSize', [1, 4096], [0, 64.5]],
    ['depth', [8, 16], [12]],
  ] as const)('%s: its ends', (name, right, wrong) => {
    for (const value of right)
      expect(check('upscale', { [name]: value })).toEqual({ [name]: value });
    for (const value of wrong) expect(() => check('upscale', { [name]: value })).toThrow(invalid);
  });

  it('takes signals by what they can do, such as those of polyfills', () => {
    const signal = { aborted: false, addEventListener() {}, removeEventListener() {} };
    expect(check('preload', { signal })).toEqual({ signal });
  });

  it('refuses names that are no option, and says which there are', () => {
    const attempt = () => check('upscale', { scal: 4 });
    expect(attempt).toThrow('upscale has no option "scal".');
    expect(attempt).toThrow(
      expect.objectContaining({ hint: expect.stringMatching(/scale, width/) }),
    );
    expect(() => check('upscaleTo', { output: 'image/png' })).toThrow(invalid);
    expect(check('upscale', { scal: undefined, scale: undefined })).toEqual({});
  });

  it('refuses what is no object of options', () => {
    for (const options of [null, 5, 'x', [], () => {}, new Map(), new AbortController().signal]) {
      expect(() => check('preload', options)).toThrow(invalid);
    }
    expect(check('preload', undefined)).toEqual({});
    expect(check('preload', Object.create(null))).toEqual({});
  });

  it('copies options, also out of proxies, which cannot be sent', () => {
    const fit = new Proxy({ width: 5, height: 6 }, {});
    const options = { fit };
    const checked = check('upscale', options) as { fit: object };
    expect(checked.fit).not.toBe(fit);
    expect(structuredClone(checked)).toEqual({ fit: { width: 5, height: 6 } });
  });

  it('cuts values in messages', () => {
    const attempt = () => check('upscale', { model: Symbol('x'.repeat(999)) });
    expect(attempt).toThrow(/^.{60,90}\.\.\.\.$/);
  });
});

/** Calls the function or upscaler method whose name is `call`, with the given options. */
function make(upscaler: Upscaler, { call, options }: WrongCall): unknown {
  const file = new Blob(['x']);
  switch (call) {
    case 'createUpscaler':
      return createUpscaler(options as never);
    case 'preload':
      return upscaler.preload('a2n-x2', options as never);
    case 'upscale':
      return upscaler.upscale(file, options as never);
    case 'upscaleTo':
      return upscaler.upscaleTo({} as never, file, options as never);
    case 'inspect':
      return upscaler.inspect(file, options as never);
    case 'estimateCpu':
      return upscaler.estimateCpu(6, 5, options as never);
    case 'addModel':
      return upscaler.addModel(file, options as never);
    case 'exportModel':
      return upscaler.exportModel('own-1', options as never);
    case 'encode':
      return upscaler.encode(file, options as never);
  }
}

describe('on a page', () => {
  let started = 0;
  let upscaler: Upscaler;

  beforeEach(() => {
    started = 0;
    // Stubs the page globals that are used before the worker starts.
    vi.stubGlobal('location', new URL('http://localhost/page/index.html'));
    vi.stubGlobal(
      'Worker',
      class {
        constructor() {
          started++;
          throw new Error('no call should come so far');
        }
      },
    );
    upscaler = createUpscaler();
  });
  afterEach(() => vi.unstubAllGlobals());

  it('300 random calls with wrong options end before anything is sent', async () => {
    const codes = new Map<string, number>();
    for (const wrong of wrongCalls(20261128, 300)) {
      const attempt = async () => make(upscaler, wrong);
      const error = await attempt().then(
        () => ({ code: `${wrong.call} accepted ${String(wrong.options)}` }),
        (thrown: { code: string }) => thrown,
      );
      codes.set(error.code, (codes.get(error.code) ?? 0) + 1);
    }
    expect([...codes.keys()].sort()).toEqual(['INVALID_INPUT', 'MODEL_UNKNOWN']);
    expect(started).toBe(0);
  });

  it.each<[string, () => unknown]>([
    ['preload without a model', () => upscaler.preload(undefined as never)],
    ['preload of a number', () => upscaler.preload(2 as never)],
    ['removeModel of nothing', () => upscaler.removeModel(undefined as never)],
    ['exportModel of an object', () => upscaler.exportModel({} as never)],
    ['addModel of an object', () => upscaler.addModel({} as never)],
    ['addModel of null', () => upscaler.addModel(null as never)],
    ['addModel of http://', () => upscaler.addModel('http://')],
    ['encode without a type', () => upscaler.encode(new Blob([]), {} as never)],
    ['encode without options', () => upscaler.encode(new Blob([]), undefined as never)],
    ['encode of a string', () => upscaler.encode('x' as never, { type: 'image/png' })],
    ['upscale of null', () => upscaler.upscale(null as never)],
    ['upscale of a number', () => upscaler.upscale(5 as never)],
    ['upscale of a date', () => upscaler.upscale(new Date() as never)],
    ['upscaleTo of no canvas', () => upscaler.upscaleTo({} as never, new Blob([]))],
    ['an estimate of NaN', () => upscaler.estimateCpu(Number.NaN, 5)],
    ['an estimate of strings', () => upscaler.estimateCpu(5, '5' as never)],
    ['an estimate of halves', () => upscaler.estimateCpu(5, 2.5)],
    ['an estimate of nothing', () => upscaler.estimateCpu(0, 5)],
    ['a mosaic of NaN', () => upscaler.upscale({ ...mosaic, width: Number.NaN })],
    ['a mosaic of a list', () => upscaler.upscale({ ...mosaic, data: [1, 2, 3, 4] as never })],
    [
      'a mosaic of doubles',
      () => upscaler.upscale({ ...mosaic, data: new Float64Array(4) as never }),
    ],
    ['a mosaic of no light', () => upscaler.upscale({ ...mosaic, white: Number.NaN })],
    ['a mosaic whose samples went', () => upscaler.upscale({ ...mosaic, data: detached() })],
    ['a worker that is none', () => createUpscaler({ worker: () => ({}) as Worker }).detect()],
    ['a promise of a worker', () => createUpscaler({ worker: (async () => {}) as never }).detect()],
    ['a base that is no address', () => createUpscaler({ baseUrl: 'http://' })],
  ])('refuses %s', async (_, call) => {
    await expect((async () => call())()).rejects.toThrow(invalid);
    expect(started).toBe(0);
  });

  const mosaic = { width: 2, height: 2, data: new Uint8Array(4), pattern: 'RGGB' } as const;
  const detached = () => {
    const data = new Uint8Array(4);
    structuredClone(data.buffer, { transfer: [data.buffer] });
    return data;
  };
});

describe('in Node', () => {
  it('says that a page is needed, and what to use', () => {
    expect(() => createUpscaler()).toThrow(
      expect.objectContaining({
        code: 'WORKER_FAILED',
        message: expect.stringMatching(/web page/),
        hint: expect.stringMatching(/command line.*crispen\/engine/),
      }),
    );
  });
});
