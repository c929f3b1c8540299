import { describe, expect, it } from 'vitest';
import { CrispenError } from '../src/errors.ts';
import type { SourceFacts } from '../src/index.ts';
import {
  adapterName,
  advice,
  keptWords,
  madeBy,
  noAdapterWords,
  sizeWarning,
  workerWords,
} from './words.ts';

const adapter = {
  vendor: 'google',
  architecture: 'swiftshader',
  device: '',
  description: '',
  isFallbackAdapter: true,
  features: [],
};

describe('adapters', () => {
  it('are named by the best that the browser tells', () => {
    expect(adapterName({ ...adapter, description: 'Apple M2' })).toBe('Apple M2');
    expect(adapterName(adapter)).toBe('Google Swiftshader');
    expect(adapterName({ ...adapter, vendor: '', architecture: '' })).toBe('your graphics card');
  });

  it('made of software are called slow', () => {
    const found = { backend: 'webgpu', adapter, reason: null, cpu: null } as const;
    expect(workerWords(found)).toMatchObject({ slow: true });
    expect(workerWords(found).text).toMatch(/slow software renderer/i);
    const real = { ...found, adapter: { ...adapter, isFallbackAdapter: false } };
    expect(workerWords(real).slow).toBe(false);
  });

  it('give way to the CPU, in one honest line', () => {
    const cpu = { code: 'simd', threads: 3, shared: false, reason: null } as const;
    const reason = new CrispenError('NO_WEBGPU', 'none');
    const found = { backend: 'cpu', adapter: null, reason, cpu } as const;
    expect(workerWords(found)).toEqual({
      text: 'No GPU found. Runs on the CPU with 3 threads.',
      slow: false,
    });
    const asked = { ...found, reason: null, cpu: { ...cpu, threads: 1 } };
    expect(workerWords(asked).text).toBe('Runs on the CPU with one thread.');
    const noWasm = new CrispenError('NO_WASM', 'Forbidden.', { hint: 'Allow it.' });
    const loops = { ...found, cpu: { ...cpu, code: 'loops', reason: noWasm } } as const;
    expect(workerWords(loops).slow).toBe(true);
    expect(noAdapterWords(loops).text).toBe('Forbidden. Allow it.');
  });

  it('are told apart in the result', () => {
    const model = 'a2n-x2';
    expect(madeBy({ backend: 'webgpu', adapter, model })).toContain('software adapter');
    expect(madeBy({ backend: 'cpu', adapter: null, model })).toContain('CPU');
    expect(madeBy({ backend: 'lanczos', adapter: null, model: null })).toContain(
      'without a network',
    );
  });
});

describe('advice', () => {
  const mac = 'Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7)';
  it.each([
    [`${mac} AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.4 Safari/605.1.15`, 'Safari'],
    [`${mac} AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36`, 'Chrome'],
    ['Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0', 'Firefox'],
    ['something else', 'Chrome'],
  ])('%s: own browser first', (userAgent, browser) => {
    const list = advice(userAgent);
    expect(list[0]?.browser).toContain(browser);
    expect(list).toHaveLength(3);
  });
});

describe('noAdapterWords', () => {
  it('names plain http as the cause where it is', () => {
    expect(
      noAdapterWords({ cpu: null, reason: new CrispenError('INSECURE_CONTEXT', 'x') }).text,
    ).toContain('https');
    expect(
      noAdapterWords({ cpu: null, reason: new CrispenError('NO_WEBGPU', 'x') }).text,
    ).not.toContain('https');
  });
});

describe('sizeWarning', () => {
  it('lets ordinary pictures pass', () => {
    expect(sizeWarning({ width: 8000, height: 6000 })).toBeNull();
    expect(sizeWarning({ width: 8192, height: 8192 })).toBeNull();
  });

  it('warns of memory, then of limits', () => {
    expect(sizeWarning({ width: 16000, height: 12000 })).toContain('16000 × 12000');
    expect(sizeWarning({ width: 16000, height: 12000 })).toContain('768 MB');
    expect(sizeWarning({ width: 20000, height: 40 })).toContain('more than browsers can show');
  });
});

it('says what was kept, and nothing of an ordinary picture', () => {
  const plain: SourceFacts = {
    format: 'JPEG',
    depth: 8,
    colorSpace: 'srgb',
    hasProfile: false,
    hasMetadata: true,
    grey: false,
    animated: false,
    notes: [],
  };
  expect(keptWords(plain)).toBe('');
  const rich: SourceFacts = { ...plain, depth: 16, colorSpace: 'display-p3', hasProfile: true };
  expect(keptWords(rich)).toBe('Kept: Display P3 colours, 16 bits per colour (in PNG).');
  expect(keptWords({ ...plain, grey: true, notes: ['A note.'] })).toBe('Kept: pure grey. A note.');
});
