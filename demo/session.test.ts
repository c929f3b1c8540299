import { describe, expect, it, vi } from 'vitest';
import { findModel } from '../src/catalog/files.ts';
import { CrispenError } from '../src/errors.ts';
import type { Detection, UpscaleOutput, UpscaleRequest, Upscaler } from '../src/index.ts';
import { isAtStake } from './leaving.ts';
import { Session } from './session.ts';
import { type Item, type Picture, type State, selectedOf } from './state.ts';

const models = [
  ...['a2n-photo-x2', 'a2n-x2', 'a2n-x3', 'a2n-x4', 'a2n-jpeg-x1'].map(findModel),
  { ...findModel('a2n-jpeg-x1'), id: 'pan-jpeg-x1' },
].map((model) => ({ ...model, description: '' }));
const named = (name: string, change: Partial<Picture> = {}): Picture => ({
  file: new Blob(),
  name,
  size: { width: 30, height: 20 },
  image: null,
  ...change,
});
const small = named('cat.jpg');
const withGpu: Detection = { backend: 'webgpu', adapter: null, reason: null, cpu: null };
const cpu = { code: 'simd', threads: 3, shared: false, reason: null } as const;
const without: Detection = {
  backend: 'cpu',
  adapter: null,
  reason: new CrispenError('NO_WEBGPU', 'none'),
  cpu,
};

/** Creates a session with a fake upscaler, whose jobs run until the test ends them. */
function setUp(detection: Detection = withGpu, canPickFile = false, offered = models) {
  const jobs: {
    request: UpscaleRequest;
    close: ReturnType<typeof vi.fn>;
    finish: () => Promise<void>;
    fail: (error: unknown) => Promise<void>;
  }[] = [];
  const states: State[] = [];
  const settle = () => new Promise<void>((resolve) => setTimeout(resolve));
  const upscaler = {
    detect: vi.fn(async () => detection),
    estimateCpu: vi.fn(async () => 12_000),
    upscale: vi.fn(
      (_source: unknown, request: UpscaleRequest = {}) =>
        new Promise<UpscaleOutput>((resolve, reject) => {
          const close = vi.fn();
          const image = { close, width: 60, height: 40 } as unknown as Blob;
          const output = {
            image,
            backend: 'webgpu',
            preview: null,
            diagnostics: { milliseconds: 100 },
          };
          jobs.push({
            request,
            close,
            finish() {
              resolve(output as unknown as UpscaleOutput);
              return settle();
            },
            fail(error) {
              reject(error);
              return settle();
            },
          });
        }),
    ),
  };
  const release = vi.fn();
  const draw = vi.fn(async (file: Blob) => file as unknown as ImageBitmap);
  const session = new Session({
    upscaler: upscaler as unknown as Upscaler,
    models: offered,
    draw,
    canPickFile,
    release,
    onChange: (state) => states.push(state),
  });
  const open = async (...pictures: Picture[]) => {
    session.add(pictures);
    await settle();
  };
  return { session, upscaler, jobs, states, settle, open, draw, release };
}

const item = (session: Session) => selectedOf(session.state) as Item;
const kind = (session: Session) => item(session)?.phase.kind;
const kinds = ({ state }: Session) => state.items.map(({ phase }) => phase.kind);
const names = ({ state }: Session) => state.items.map(({ picture }) => picture.name);

it('chooses automatically at first, and makes the other result in one step', async () => {
  const { session, upscaler, jobs, open, settle } = setUp(without, false, [
    ...models,
    { ...findModel('pan-photo-x2'), description: '' },
  ]);
  await open(small);
  expect(upscaler.estimateCpu).toHaveBeenCalledWith(30, 20, { scale: 2, model: 'auto' });
  expect(jobs[0]?.request).toMatchObject({ scale: 2, model: 'auto' });
  await jobs[0]?.finish();
  session.setKind('photo-fast');
  await settle();
  expect(jobs[1]?.request).toMatchObject({ scale: 2, model: 'pan-photo-x2' });
  await jobs[1]?.finish();
  // Both results are kept. If there is no choice of models, the photo model runs.
  session.setKind('photo-auto');
  expect(kind(session)).toBe('done');
  session.setSize({ scale: 4 });
  await settle();
  expect(jobs).toHaveLength(3);
  expect(jobs[2]?.request).toMatchObject({ scale: 4, model: 'a2n-photo-x2' });
  session.setSize({ scale: 2 });
  expect(item(session).settings.model).toMatchObject({ id: 'auto', kind: 'photo-auto' });
});

describe('one picture', () => {
  it('is enlarged with the chosen model', async () => {
    const { session, jobs, open } = setUp();
    await open(small);
    expect(kind(session)).toBe('working');
    expect(jobs[0]?.request).toMatchObject({ scale: 2, model: 'a2n-photo-x2' });
    jobs[0]?.request.onProgress?.({ stage: 'upscale', fraction: 0.5, remainingMs: 100 });
    expect(item(session).phase).toMatchObject({ stage: 'upscale', fraction: 0.5 });
    await jobs[0]?.finish();
    expect(item(session)).toMatchObject({
      phase: { kind: 'done' },
      result: { settings: { size: { scale: 2 } } },
    });
    expect(session.state.drawing?.result).toBe(item(session).result);
  });

  it('is restored at its own size, and enlarged after that', async () => {
    const { session, jobs, open, settle } = setUp();
    await open(small);
    session.setSize({ scale: 3 });
    await settle();
    session.setTask('dejpeg');
    await settle();
    session.setSize({ scale: 2 });
    await settle();
    expect(jobs.map(({ request: { scale, model } }) => [scale, model]).slice(-2)).toEqual([
      [1, 'a2n-jpeg-x1'],
      [2, 'a2n-jpeg-x1'],
    ]);
    session.setTask('upscale');
    await settle();
    expect(jobs.at(-1)?.request).toMatchObject({ scale: 2, model: 'a2n-photo-x2' });
    expect(item(session).settings).toMatchObject({ task: 'upscale', size: { scale: 2 } });
  });

  it('takes another model that restores, and the default again after enlarging', async () => {
    const { session, jobs, open, settle } = setUp();
    await open(small);
    session.setTask('dejpeg');
    session.setKind('pan-jpeg');
    await settle();
    expect(jobs.at(-1)?.request).toMatchObject({ scale: 1, model: 'pan-jpeg-x1' });
    session.setSize({ scale: 2 });
    await settle();
    expect(jobs.at(-1)?.request).toMatchObject({ scale: 2, model: 'pan-jpeg-x1' });
    session.setKind('a2n');
    expect(session.state.settings).toMatchObject({ task: 'upscale', model: { id: 'a2n-x2' } });
    session.setTask('dejpeg');
    expect(session.state.settings.model.id).toBe('a2n-jpeg-x1');
  });

  it('keeps its kind of model at every size', async () => {
    const { session, jobs, open, settle } = setUp();
    await open(small);
    for (const size of [{ scale: 3 }, { scale: 2.7 }, { width: 77 }]) {
      session.setSize(size);
      await settle();
      expect(jobs.at(-1)?.request).toMatchObject({ ...size, model: 'a2n-photo-x2' });
      expect(session.state.settings.model.title).toBe('Photo');
    }
  });

  it('keeps settings made before there is a picture', async () => {
    const { session, upscaler } = setUp();
    session.setKind('a2n');
    session.setSize({ scale: 4 });
    expect(session.state.settings).toMatchObject({ size: { scale: 4 }, model: { id: 'a2n-x4' } });
    expect(upscaler.upscale).not.toHaveBeenCalled();
  });

  it('is cancelled, and started again', async () => {
    const { session, jobs, open, settle } = setUp();
    await open(small);
    session.cancel();
    expect(kind(session)).toBe('cancelled');
    await jobs[0]?.fail(new CrispenError('ABORTED', 'cancelled'));
    expect(item(session)).toMatchObject({ phase: { kind: 'cancelled' }, trouble: null });
    session.restart();
    await settle();
    await jobs[1]?.finish();
    expect(kind(session)).toBe('done');
    session.cancel();
    expect(kind(session)).toBe('done');
  });

  it('has an error with its hint, and the next one works', async () => {
    const { session, jobs, open } = setUp();
    await open(small);
    await jobs[0]?.fail(
      new CrispenError('DECODE_FAILED', 'Not a picture.', { hint: 'Try a PNG.' }),
    );
    expect(item(session).trouble).toEqual({ message: 'Not a picture.', hint: 'Try a PNG.' });
    await open(small);
    expect(item(session).trouble).toBeNull();
    expect(kind(session)).toBe('working');
  });
});

describe('results', () => {
  it('stay until the next one succeeds', async () => {
    const { session, jobs, open, settle } = setUp();
    await open(small);
    await jobs[0]?.finish();
    const first = item(session).result;
    session.setSize({ scale: 3 });
    await settle();
    expect(item(session)).toMatchObject({ phase: { kind: 'working' }, result: first });
    expect(session.state.drawing?.result).toBe(first);
    await jobs[1]?.fail(new CrispenError('OUT_OF_MEMORY', 'Too large.'));
    expect(item(session)).toMatchObject({ phase: { kind: 'failed' }, result: first });
    session.revert();
    expect(item(session)).toMatchObject({ phase: { kind: 'done' }, trouble: null, result: first });
    expect(session.state.settings.size).toEqual({ scale: 2 });
    expect(jobs[0]?.close).not.toHaveBeenCalled();
    expect(jobs).toHaveLength(2);
  });

  it('are kept per task, size and model: going back runs nothing', async () => {
    const { session, jobs, open, settle, draw } = setUp();
    await open(small);
    await jobs[0]?.finish();
    for (const change of [
      () => session.setSize({ scale: 4 }),
      () => session.setTask('dejpeg'),
      () => session.setTask('upscale'),
    ]) {
      change();
      await settle();
      await jobs.at(-1)?.finish();
    }
    expect(jobs).toHaveLength(3);
    session.setKind('a2n');
    await settle();
    expect(jobs).toHaveLength(4);
    await jobs[3]?.finish();
    const drawn = draw.mock.calls.length;
    session.setKind('photo');
    expect(kind(session)).toBe('done');
    expect(session.state.drawing?.result.settings.model.id).toBe('a2n-photo-x2');
    session.setSize({ scale: 4 });
    expect(kind(session)).toBe('done');
    await settle();
    expect(jobs).toHaveLength(4);
    expect(draw).toHaveBeenCalledTimes(drawn);
  });

  it('of an ended job are dropped', async () => {
    const { session, jobs, open, settle } = setUp();
    await open(small);
    session.setSize({ scale: 3 });
    await settle();
    expect(jobs[0]?.request.signal?.aborted).toBe(true);
    jobs[0]?.request.onProgress?.({ stage: 'upscale', fraction: 0.9, remainingMs: 1 });
    await jobs[0]?.finish();
    expect(item(session)).toMatchObject({ phase: { kind: 'working', fraction: 0 }, result: null });
  });

  it('stay when another file fails, and when saving does', async () => {
    const { session, jobs, open } = setUp();
    await open(small);
    await jobs[0]?.finish();
    const { result } = item(session);
    await open(named('notes.txt', { size: null }));
    await jobs[1]?.fail(new CrispenError('DECODE_FAILED', 'This is text.', { hint: 'Drop…' }));
    session.report({ message: 'No.', hint: '' });
    expect(item(session)).toMatchObject({ picture: small, phase: { kind: 'done' }, result });
    expect(kinds(session)).toEqual(['done', 'failed']);
    session.report(null);
    await open(named('more.txt', { size: null }));
    await jobs[2]?.fail(new CrispenError('DECODE_FAILED', 'This is text.', { hint: 'Drop…' }));
    expect(session.state.trouble).toEqual({ message: 'more.txt: This is text.', hint: 'Drop…' });
  });

  it('are at stake until they are saved', async () => {
    const { session, jobs, open } = setUp();
    expect(isAtStake(session.state)).toBe(false);
    await open(small);
    expect(isAtStake(session.state)).toBe(true);
    await jobs[0]?.finish();
    expect(isAtStake(session.state)).toBe(true);
    const { id, result } = item(session);
    session.markSaved(id, result!.key);
    expect(isAtStake(session.state)).toBe(false);
  });
});

describe('a part of a picture', () => {
  const part = { x: 3, y: 2, width: 15, height: 10 };

  it('is enlarged, and going back to the whole runs nothing', async () => {
    const { session, jobs, open, settle } = setUp();
    await open(small);
    await jobs[0]?.finish();
    const whole = item(session).result;
    session.setCrop(part);
    await settle();
    expect(jobs[1]?.request).toMatchObject({ region: part, scale: 2 });
    // The whole picture's result stays visible until there is another result.
    expect(item(session)).toMatchObject({ crop: part, result: { crop: null } });
    await jobs[1]?.finish();
    expect(item(session).result).toMatchObject({ crop: part });
    session.setCrop(null);
    expect(item(session)).toMatchObject({ crop: null, phase: { kind: 'done' }, result: whole });
    session.setCrop({ ...part });
    expect(item(session)).toMatchObject({ phase: { kind: 'done' }, result: { crop: part } });
    expect(jobs).toHaveLength(2);
    // A result at another size is computed from the same part.
    session.setSize({ scale: 4 });
    await settle();
    expect(jobs[2]?.request).toMatchObject({ region: part, scale: 4 });
    session.setCrop(null);
    await settle();
    expect(jobs[2]?.request.signal?.aborted).toBe(true);
    expect(jobs[3]?.request).toMatchObject({ scale: 4 });
    expect(jobs[3]?.request.region).toBeUndefined();
  });

  it('comes back with its result, and belongs to one picture alone', async () => {
    const { session, jobs, open, settle } = setUp();
    await open(named('a.png'), named('b.png'), named('c.png'));
    await jobs[0]?.finish();
    session.setSize({ scale: 4 });
    await settle();
    session.setCrop(part);
    session.revert();
    expect(item(session)).toMatchObject({ crop: null, settings: { size: { scale: 2 } } });
    session.setCrop(part);
    expect(session.state.items.map(({ crop }) => crop)).toEqual([part, null, null]);
  });

  it('has its own size, estimate and question', async () => {
    const { session, upscaler, jobs, open, settle } = setUp(without);
    await open({ ...small, size: { width: 20_000, height: 10 } });
    expect(kind(session)).toBe('confirm');
    session.setCrop(part);
    await settle();
    expect(upscaler.estimateCpu).toHaveBeenCalledWith(15, 10, { scale: 2, model: 'a2n-photo-x2' });
    expect(jobs[0]?.request).toMatchObject({ region: part });
    // A width of 60 pixels is four times the part's width.
    session.setSize({ width: 60 });
    expect(item(session).settings.model.id).toBe('a2n-photo-x2');
    session.setKind('a2n');
    expect(item(session).settings.model.id).toBe('a2n-x4');
    session.setCrop({ ...part, width: 30 });
    expect(item(session).settings.model.id).toBe('a2n-x2');
  });
});

describe('the queue', () => {
  const several = ['a.png', 'b.png', 'c.png', 'd.png'].map((name) => named(name));

  it('works on one picture after the other, and a failure stops nothing', async () => {
    const { session, jobs, open } = setUp();
    await open(...several);
    expect(kinds(session)).toEqual(['working', 'waiting', 'waiting', 'waiting']);
    await jobs[0]?.finish();
    await jobs[1]?.fail(new CrispenError('DECODE_FAILED', 'Cut short.'));
    await jobs[2]?.finish();
    await jobs[3]?.finish();
    expect(kinds(session)).toEqual(['done', 'failed', 'done', 'done']);
    expect(session.state.items[1].trouble?.message).toBe('Cut short.');
    session.retryAll();
    expect(kinds(session)).toEqual(['done', 'working', 'done', 'done']);
  });

  it('does what the visitor asks for next, without losing the work at hand', async () => {
    const { session, jobs, open, settle } = setUp();
    await open(...several);
    const last = session.state.items[3].id;
    session.select(last);
    session.setSize({ scale: 4 });
    await settle();
    expect(jobs).toHaveLength(1);
    await jobs[0]?.finish();
    expect(kinds(session)).toEqual(['done', 'waiting', 'waiting', 'working']);
    // Pictures that had not started get the new settings. Finished pictures keep their settings.
    expect(session.state.items.map(({ settings }) => settings.size)).toEqual([
      { scale: 2 },
      { scale: 4 },
      { scale: 4 },
      { scale: 4 },
    ]);
    session.select(session.state.items[0].id);
    expect(session.state.settings.size).toEqual({ scale: 2 });
    session.setKind('a2n');
    session.applyToAll();
    expect(new Set(session.state.items.map(({ settings }) => settings.model.id))).toEqual(
      new Set(['a2n-x2']),
    );
  });

  it('pauses, goes on and is cancelled', async () => {
    const { session, jobs, open, settle } = setUp();
    await open(...several);
    session.pause(true);
    await jobs[0]?.finish();
    expect(kinds(session)).toEqual(['done', 'waiting', 'waiting', 'waiting']);
    session.restart(session.state.items[2].id);
    await settle();
    expect(kinds(session)).toEqual(['done', 'waiting', 'working', 'waiting']);
    await jobs[1]?.finish();
    session.pause(false);
    expect(kinds(session)).toEqual(['done', 'working', 'done', 'waiting']);
    session.cancel(session.state.items[3].id);
    await settle();
    expect(kinds(session)).toEqual(['done', 'working', 'done', 'cancelled']);
    session.cancelAll();
    expect(kinds(session)).toEqual(['done', 'cancelled', 'done', 'cancelled']);
    expect(jobs.at(-1)?.request.signal?.aborted).toBe(true);
  });

  it('is put into another order', async () => {
    const { session, jobs, open } = setUp();
    await open(...several);
    const [, , third] = session.state.items;
    session.move(third.id, 1);
    expect(names(session)).toEqual(['a.png', 'c.png', 'b.png', 'd.png']);
    await jobs[0]?.finish();
    expect(kinds(session)).toEqual(['done', 'working', 'waiting', 'waiting']);
  });

  it('gives back what was removed, until something else happens', async () => {
    const { session, jobs, open, release } = setUp();
    await open(...several);
    await jobs[0]?.finish();
    session.remove(session.state.items.map(({ id }) => id));
    expect(session.state).toMatchObject({ items: [], selected: null, isHome: true });
    session.undo();
    expect(names(session)).toEqual(['a.png', 'b.png', 'c.png', 'd.png']);
    expect(kinds(session)).toEqual(['done', 'working', 'waiting', 'waiting']);
    session.remove([session.state.items[0].id]);
    expect(item(session).picture.name).toBe('b.png');
    expect(release).not.toHaveBeenCalled();
    await open(small);
    expect(release).toHaveBeenCalledWith(several[0]);
    expect(jobs[0]?.close).toHaveBeenCalledOnce();
    expect(session.state.removed).toEqual([]);
  });
});

describe('questions', () => {
  it('come before a result that the browser may not bear', async () => {
    const { session, upscaler, jobs, open, settle } = setUp();
    await open({ ...small, size: { width: 20_000, height: 10 } });
    expect(kind(session)).toBe('confirm');
    expect(upscaler.upscale).not.toHaveBeenCalled();
    session.restart();
    await settle();
    expect(jobs).toHaveLength(1);
    expect(jobs[0]?.request).toMatchObject({ preview: 2048 });
    expect(jobs[0]?.request.to).toBeUndefined();
  });

  it('ask for a file for what is too large to be shown, each time', async () => {
    const { session, jobs, open, settle } = setUp(withGpu, true);
    await open({ ...small, size: { width: 20_000, height: 10 } });
    expect(item(session).phase).toMatchObject({ kind: 'confirm', toFile: true });
    const file = { name: 'cat@2x.png' } as FileSystemFileHandle;
    session.writeTo(file);
    await settle();
    expect(jobs[0]?.request).toMatchObject({ to: file, preview: 2048, metadata: 'drop' });
    session.cancel();
    session.restart();
    await settle();
    expect(item(session).phase).toMatchObject({ kind: 'confirm', toFile: true });
    session.writeTo(file);
    await settle();
    await jobs[1]?.finish();
    expect(item(session)).toMatchObject({
      phase: { kind: 'done' },
      result: { savedAs: 'cat@2x.png' },
    });
    // A result that is large but can still be shown needs no file.
    await open({ ...small, size: { width: 5000, height: 4000 } });
    expect(item(session).phase).toMatchObject({ kind: 'confirm', toFile: false });
  });

  it('are not asked where the CPU takes less than a minute', async () => {
    const { upscaler, jobs, open, settle } = setUp(without);
    await open(small);
    await settle();
    expect(upscaler.estimateCpu).toHaveBeenCalledWith(30, 20, { scale: 2, model: 'a2n-photo-x2' });
    expect(jobs[0]?.request.method).toBeUndefined();
  });

  it('come before what takes longer on the CPU', async () => {
    const { session, upscaler, jobs, open, settle } = setUp(without);
    upscaler.estimateCpu.mockResolvedValue(61_000);
    await open(small);
    expect(item(session).phase).toEqual({ kind: 'choose', cpuMs: 61_000 });
    expect(upscaler.upscale).not.toHaveBeenCalled();
    session.runWith('network');
    await settle();
    expect(jobs[0]?.request.method).toBeUndefined();
    // At a different scale, the job takes a different time, so the estimate is shown again.
    session.setSize({ scale: 4 });
    await settle();
    expect(kind(session)).toBe('choose');
  });

  it('are answered once for all pictures, and a resize is kept to', async () => {
    const { session, upscaler, jobs, open, settle } = setUp(without);
    upscaler.estimateCpu.mockResolvedValue(61_000);
    await open(named('a.png'), named('b.png'));
    await settle();
    expect(kinds(session)).toEqual(['choose', 'choose']);
    session.runWith('lanczos');
    await settle();
    await jobs[0]?.finish();
    await jobs[1]?.finish();
    expect(kinds(session)).toEqual(['done', 'done']);
    session.setSize({ scale: 4 });
    await settle();
    expect(jobs.map(({ request }) => request.method)).toEqual(['lanczos', 'lanczos', 'lanczos']);
  });

  it('offer no network where loops would have to do a large picture', async () => {
    const reason = new CrispenError('NO_WASM', 'none');
    const loops = { ...without, cpu: { ...cpu, code: 'loops', reason } } as const;
    const { session, upscaler, jobs, open } = setUp(loops);
    await open({ ...small, size: { width: 129, height: 128 } });
    expect(item(session).phase).toEqual({ kind: 'choose', cpuMs: null });
    expect(upscaler.estimateCpu).not.toHaveBeenCalled();
    await open({ ...small, size: { width: 128, height: 128 } });
    expect(jobs).toHaveLength(1);
  });

  it('are not asked of a file that is no picture', async () => {
    const { session, jobs, open } = setUp(without);
    await open({ ...small, size: null });
    await jobs[0]?.fail(new CrispenError('DECODE_FAILED', 'Not a picture.'));
    expect(item(session)).toMatchObject({
      phase: { kind: 'failed' },
      trouble: { message: 'Not a picture.' },
    });
  });
});

describe('pictures of an earlier visit', () => {
  it('come first, and what was not finished goes on', async () => {
    const { session, jobs, open, settle } = setUp();
    await open(named('new.png'));
    const { settings } = session.state;
    const old = { ...item(session), phase: { kind: 'waiting' } } as const;
    session.restore([{ ...old, id: '7', picture: named('old.png'), settings }], '7');
    expect(names(session)).toEqual(['old.png', 'new.png']);
    await jobs[0]?.finish();
    expect(kinds(session)).toEqual(['working', 'done']);
    await settle();
    await open(named('newer.png'));
    expect(new Set(session.state.items.map(({ id }) => id)).size).toBe(3);
  });
});
