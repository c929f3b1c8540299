import { createHash, randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { largeCheckpoint } from '../../test/checkpoints/esrgan.ts';
import { tinyCheckpoint } from '../../test/checkpoints/tiny.ts';
import { readWeights } from '../weights/read.ts';
import { writeSafetensors } from '../weights/writeSafetensors.ts';
import { addModel, exportAdded, loadAdded } from './added.ts';
import type { AddOptions } from './protocol.ts';
import { ModelStore } from './store.ts';

const CHECKPOINT = 'compact_x2_params_and_ema_legacy.pth';
const bytes = readFileSync(`test/checkpoints/${CHECKPOINT}`);

/**
 * A fake folder of the origin private file system (OPFS). It keeps its files in memory and has the
 * methods that the store calls. Several stores can use it one after another.
 */
class MemoryFolder {
  readonly files = new Map<string, Uint8Array<ArrayBuffer>>();
  readonly folders = new Map<string, MemoryFolder>();
  quota = Number.POSITIVE_INFINITY;

  async getDirectoryHandle(name: string) {
    const folder = this.folders.get(name) ?? new MemoryFolder();
    this.folders.set(name, folder);
    return folder;
  }
  async *keys() {
    yield* this.files.keys();
  }
  async removeEntry(name: string) {
    if (!this.files.delete(name)) throw new DOMException('not there', 'NotFoundError');
  }
  async getFileHandle(name: string, options?: { create: boolean }) {
    if (!this.files.has(name) && !options?.create) throw new DOMException('', 'NotFoundError');
    return {
      getFile: async () => new Blob([this.files.get(name)!]),
      createSyncAccessHandle: async () => ({
        truncate: () => void this.files.set(name, new Uint8Array()),
        write: (data: Uint8Array<ArrayBuffer>) => {
          if (data.length > this.quota) throw new DOMException('', 'QuotaExceededError');
          this.files.set(name, data.slice());
          return data.length;
        },
        flush: () => {},
        close: () => {},
      }),
    };
  }
}

let root: MemoryFolder;
let store: ModelStore;
const digest = (algorithm: string, data: Uint8Array<ArrayBuffer>) =>
  crypto.subtle.digest(algorithm, data);
const storeOn = (folder: MemoryFolder, room?: number) =>
  new ModelStore(async () => folder, digest, room);
beforeEach(() => {
  root = new MemoryFolder();
  store = storeOn(root);
});

function add(file: Uint8Array<ArrayBuffer>, name: string, options: AddOptions = {}) {
  return addModel(new Blob([file]), name, options, {
    store,
    digest,
    signal: new AbortController().signal,
    onProgress: () => {},
  });
}

it('finds out what a file is, keeps it and finds it again', async () => {
  const model = await add(bytes, CHECKPOINT);
  expect(model).toMatchObject({
    architecture: 'compact',
    scale: 2,
    scaleSource: 'shapes',
    inputRange: 1,
    kept: true,
    name: 'compact_x2_params_and_ema_legacy',
    format: 'torch-legacy',
    bytes: bytes.length,
    sha256: createHash('sha256').update(bytes).digest('hex'),
  });
  expect(model.id).toMatch(/^own-[0-9a-f]{16}-x2$/);
  const later = storeOn(root);
  expect(await later.list()).toEqual([model]);
  const { network, weights } = await loadAdded(later, model.id);
  expect([network.scale, weights.size]).toEqual([2, 11]);
  expect(await add(bytes, CHECKPOINT)).toMatchObject({ id: model.id });
  expect(await later.list()).toHaveLength(1);
  await later.remove(model.id);
  expect(await later.list()).toEqual([]);
  expect(root.folders.get('crispen-models')?.files.size).toBe(0);
  await expect(loadAdded(later, model.id)).rejects.toMatchObject({ code: 'MODEL_UNKNOWN' });
});

it('exports what it was given as safetensors', async () => {
  const { id } = await add(bytes, CHECKPOINT);
  const given = await readWeights(bytes);
  const exported = async (f16: boolean) => {
    const blob = await exportAdded(store, id, f16);
    return readWeights(new Uint8Array(await blob.arrayBuffer()));
  };
  const file = await exported(false);
  expect([file.format, [...file.tensors.keys()].sort()]).toEqual([
    'safetensors',
    [...given.tensors.keys()].sort(),
  ]);
  for (const [name, tensor] of given.tensors) {
    expect(Buffer.compare(file.tensors.get(name)!.bytes, tensor.bytes)).toBe(0);
  }
  const halved = await exported(true);
  expect([...halved.tensors.values()].every(({ dtype }) => dtype === 'f16')).toBe(true);
});

it('takes the same file at two scales for two models', async () => {
  const shipped = readFileSync('public/models/a2n-x3.safetensors');
  await expect(add(shipped, 'mine.safetensors')).rejects.toMatchObject({
    code: 'MODEL_UNSUPPORTED',
  });
  expect(await store.list()).toEqual([]);
  const three = await add(shipped, 'mine.safetensors', { scale: 3 });
  const two = await add(shipped, 'mine.safetensors', { likelyScale: 2 });
  expect([three.scaleSource, two.scaleSource, two.scale]).toEqual(['option', 'default', 2]);
  expect(new Set((await store.list()).map(({ id }) => id))).toEqual(new Set([two.id, three.id]));
  expect((await loadAdded(store, three.id)).scale).toBe(3);
});

it('tells what a network of scale 1 is for', async () => {
  const file = tinyCheckpoint(1);
  const restores = await add(file, 'mine.safetensors');
  expect(restores).toMatchObject({ scale: 1, task: 'restore' });
  expect(await add(file, '1x-jpeg.safetensors')).toMatchObject({ task: 'dejpeg' });
  const denoise = await add(file, 'mine.safetensors', { task: 'denoise' });
  expect(await store.list()).toEqual([denoise]);
  expect(denoise).toMatchObject({ id: restores.id, task: 'denoise' });
  await expect(add(bytes, CHECKPOINT, { task: 'denoise' })).rejects.toMatchObject({
    code: 'MODEL_UNSUPPORTED',
  });
});

it('reads what an earlier version kept', async () => {
  const { task: _, ...facts } = await add(bytes, CHECKPOINT);
  const { files } = await root.getDirectoryHandle('crispen-models');
  files.set(`${facts.id}.json`, new TextEncoder().encode(JSON.stringify(facts)));
  expect(await store.list()).toEqual([{ ...facts, task: 'upscale' }]);
});

it('refuses what is no network and stores nothing of it', async () => {
  const odd = writeSafetensors(
    new Map([['odd', { dtype: 'f32', shape: [1], bytes: new Uint8Array(4) }]]),
  ) as Uint8Array<ArrayBuffer>;
  for (const file of [odd, new Uint8Array(randomBytes(99)), bytes.subarray(0, 5000)]) {
    await expect(add(file as Uint8Array<ArrayBuffer>, 'x')).rejects.toMatchObject({
      code: expect.stringMatching(/^MODEL_(UNSUPPORTED|CORRUPT)$/),
    });
  }
  expect(await store.list()).toEqual([]);
});

it('keeps a model in memory where there is no room or no file system', async () => {
  vi.spyOn(console, 'warn').mockImplementation(() => {});
  const folder = await root.getDirectoryHandle('crispen-models');
  folder.quota = 100;
  for (const poor of [store, new ModelStore(() => Promise.reject(new Error('insecure')))]) {
    store = poor;
    const model = await add(bytes, CHECKPOINT);
    expect(model.kept).toBe(false);
    expect(await poor.list()).toEqual([model]);
    expect((await loadAdded(poor, model.id)).scale).toBe(2);
    expect(folder.files.size).toBe(0);
  }
});

it('passes over half-written entries and tells a damaged file', async () => {
  const { id } = await add(bytes, CHECKPOINT);
  const folder = await root.getDirectoryHandle('crispen-models');
  folder.files.set('own-half-x2.weights', new Uint8Array(5));
  folder.files.set('own-odd-x2.json', new TextEncoder().encode('{"id":"own-'));
  expect(await store.list()).toHaveLength(1);
  folder.files.set(`${id}.weights`, new Uint8Array(7));
  await expect(loadAdded(store, id)).rejects.toMatchObject({ code: 'MODEL_CORRUPT' });
});

it('does not use a stored file whose bytes have changed', async () => {
  const { id } = await add(bytes, CHECKPOINT);
  const folder = root.folders.get('crispen-models')!;
  const changed = Uint8Array.from(bytes);
  // The changed byte is part of a weight, so the file can still be parsed.
  changed[changed.length - 8] ^= 64;
  await expect(readWeights(changed, () => true)).resolves.toBeDefined();
  folder.files.set(`${id}.weights`, changed);
  await expect(loadAdded(storeOn(root), id)).rejects.toMatchObject({ code: 'MODEL_CORRUPT' });
  folder.files.set(`${id}.weights`, Uint8Array.from(bytes));
  await expect(loadAdded(storeOn(root), id)).resolves.toMatchObject({ scale: 2 });
});

describe('integrity', () => {
  const hash = (algorithm: string, data: Uint8Array = bytes) =>
    `${algorithm}-${createHash(algorithm).update(data).digest('base64')}`;
  const other = Uint8Array.of(1);

  it.each([
    ['sha256', hash('sha256')],
    ['sha384', hash('sha384')],
    ['sha512', hash('sha512')],
    ['one of two', `${hash('sha256', other)} ${hash('sha256')}`],
    ['a weaker one that does not match', `${hash('sha256', other)} ${hash('sha512')}`],
  ])('of the file: %s', async (_, integrity) => {
    await expect(add(bytes, CHECKPOINT, { integrity })).resolves.toMatchObject({ scale: 2 });
  });

  it.each([
    ['sha256', hash('sha256', other)],
    ['a weaker one that matches', `${hash('sha256')} ${hash('sha512', other)}`],
  ])('of another file: %s', async (_, integrity) => {
    const adding = add(bytes, CHECKPOINT, { integrity });
    await expect(adding).rejects.toMatchObject({ code: 'MODEL_CORRUPT' });
    expect(await store.list()).toEqual([]);
  });

  it('is refused where hashes cannot be computed', async () => {
    const parts = { store, signal: new AbortController().signal, onProgress: () => {} };
    const options = { integrity: hash('sha256') };
    const adding = addModel(new Blob([bytes]), CHECKPOINT, options, {
      ...parts,
      digest: undefined,
    });
    await expect(adding).rejects.toMatchObject({ code: 'INSECURE_CONTEXT' });
  });
});

describe('files from addresses', () => {
  const files = [
    'compact_x2_params_and_ema_legacy.pth',
    'compact_x2_params_views_legacy.pth',
    'compact_x2_orig_mod_legacy.pth',
  ].map((name) => ({ name, data: new Uint8Array(readFileSync(`test/checkpoints/${name}`)) }));
  const sizes = files.map(({ data }) => data.length);
  /** A limit on the total size, in bytes. Any two of the files fit, but all three do not. */
  const room = sizes.reduce((sum, size) => sum + size) - Math.min(...sizes);
  const parts = { digest, signal: new AbortController().signal, onProgress: () => {} };
  const addTo = (to: ModelStore, i: number, fetched = true) =>
    addModel(
      fetched ? new Response(files[i].data) : new Blob([files[i].data]),
      files[i].name,
      {},
      { ...parts, store: to },
    );
  const ids = async () => (await storeOn(root).list()).map(({ id }) => id).sort();
  let clock = 0;
  beforeEach(() => {
    vi.spyOn(Date, 'now').mockImplementation(() => ++clock);
    return () => vi.restoreAllMocks();
  });

  it('make room for each other: the one that was not used for the longest time goes', async () => {
    const first = await addTo(storeOn(root, room), 0);
    const second = await addTo(storeOn(root, room), 1);
    await loadAdded(storeOn(root, room), first.id);
    const third = await addTo(storeOn(root, room), 2);
    expect(third.kept).toBe(true);
    expect(await ids()).toEqual([first.id, third.id].sort());
    await expect(storeOn(root).find(second.id)).rejects.toMatchObject({ code: 'MODEL_UNKNOWN' });
  });

  it('never take the place of files that were given, nor of those in use', async () => {
    const given = await addTo(storeOn(root, room), 0, false);
    const one = storeOn(root, room);
    const [second, third] = [await addTo(one, 1), await addTo(one, 2)];
    expect([second.kept, third.kept]).toEqual([true, true]);
    const small = storeOn(root, 1);
    const alone = await addTo(small, 2);
    expect(alone.kept).toBe(false);
    expect((await loadAdded(small, alone.id)).scale).toBe(2);
    expect(await ids()).toContain(given.id);
  });

  it('make room for a file that is given, in a full storage', async () => {
    const fetched = await addTo(storeOn(root), 0);
    const folder = root.folders.get('crispen-models')!;
    const open = folder.getFileHandle.bind(folder);
    vi.spyOn(folder, 'getFileHandle').mockImplementation(async (name, options) => {
      const handle = await open(name, options);
      const isFull = folder.files.has(`${fetched.id}.weights`) && !name.startsWith(fetched.id);
      if (isFull && options?.create) throw new DOMException('', 'QuotaExceededError');
      return handle;
    });
    const given = await addTo(storeOn(root), 1, false);
    expect(given.kept).toBe(true);
    expect(await ids()).toEqual([given.id]);
  });

  it('are refused by the length that they state', async () => {
    const headers = { 'content-length': String(2 ** 30) };
    const adding = addModel(
      new Response(files[0].data, { headers }),
      'a.pth',
      {},
      { ...parts, store },
    );
    await expect(adding).rejects.toMatchObject({
      code: 'MODEL_UNSUPPORTED',
      message: expect.stringContaining('more than'),
    });
  });

  it('are refused by their first bytes, and never read without end', async () => {
    const endless = (start: Uint8Array) => {
      let read = 0;
      const body = new ReadableStream({
        pull(controller) {
          const part = new Uint8Array(2 ** 20);
          if (read === 0) part.set(start);
          read += part.length;
          controller.enqueue(part);
        },
      });
      return { response: new Response(body), read: () => read };
    };
    const page = endless(new TextEncoder().encode('<!doctype html>'));
    const adding = addModel(page.response, 'a.pth', {}, { ...parts, store });
    await expect(adding).rejects.toMatchObject({ code: 'MODEL_UNSUPPORTED' });
    expect(page.read()).toBeLessThan(2 ** 22);

    const stated = new Response(endless(new TextEncoder().encode('PK')).response.body, {
      headers: { 'content-length': String(2 ** 30) },
    });
    const large = addModel(stated, 'a.pth', {}, { ...parts, store });
    await expect(large).rejects.toMatchObject({ code: 'MODEL_UNSUPPORTED' });
  });
});

it('stops when it is cancelled', async () => {
  const abort = new AbortController();
  const adding = addModel(
    new Blob([bytes]),
    CHECKPOINT,
    {},
    {
      store,
      digest: undefined,
      signal: abort.signal,
      onProgress: () => abort.abort(),
    },
  );
  await expect(adding).rejects.toMatchObject({ code: 'ABORTED' });
  expect(await store.list()).toEqual([]);
});

it('reads a checkpoint of 67 MB without a second copy, in steps', async () => {
  const { bytes: file, parameters } = largeCheckpoint();
  expect(file.length).toBeGreaterThan(64e6);
  const chunk = 2 ** 16;
  let at = 0;
  const body = new ReadableStream({
    pull(controller) {
      if (at >= file.length) controller.close();
      else controller.enqueue(file.subarray(at, at + chunk));
      at += chunk;
    },
  });
  const headers = { 'content-length': String(file.length) };
  const fractions: number[] = [];
  const before = process.memoryUsage().arrayBuffers;
  let peak = 0;
  const measure = () => {
    peak = Math.max(peak, process.memoryUsage().arrayBuffers - before);
  };
  vi.spyOn(store, 'write').mockImplementation(async (facts) => {
    measure();
    return facts;
  });
  const model = await addModel(
    new Response(body, { headers }),
    'mine.pth',
    {},
    {
      store,
      signal: new AbortController().signal,
      digest: undefined,
      onProgress: (fraction) => {
        fractions.push(fraction);
        measure();
      },
    },
  );
  expect(model).toMatchObject({ architecture: 'esrgan', scale: 4, parameters });
  expect(peak).toBeLessThan(1.1 * file.length);
  expect(fractions.length).toBeGreaterThan(1000);
  expect(fractions).toEqual([...fractions].sort((a, b) => a - b));
  expect(fractions.at(-1)).toBe(1);
});

it('reads an answer that does not tell its length', async () => {
  const model = await addModel(
    new Response(bytes),
    CHECKPOINT,
    {},
    {
      store,
      signal: new AbortController().signal,
      digest: undefined,
      onProgress: () => {},
    },
  );
  expect(model).toMatchObject({ architecture: 'compact', bytes: bytes.length });
  expect((await loadAdded(store, model.id)).scale).toBe(2);
});
