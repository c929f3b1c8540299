import { describe, expect, it, vi } from 'vitest';
import { findModel } from '../src/catalog/files.ts';
import { CrispenError } from '../src/errors.ts';
import type { Detection, UpscaleOutput, UpscaleRequest, Upscaler } from '../src/index.ts';
import { type Picture, Session, type State } from './session.ts';

const models = ['a2n-photo-x2', 'a2n-x2', 'a2n-x3', 'a2n-x4', 'a2n-jpeg-x1'].map((id) => ({
  ...findModel(id),
  description: '',
}));
const small: Picture = { file: new Blob(), name: 'cat.jpg', size: { width: 30, height: 20 } };
const withGpu: Detection = { backend: 'webgpu', adapter: null, reason: null, cpu: null };
const cpu = { code: 'simd', threads: 3, shared: false, reason: null } as const;
const without: Detection = {
  backend: 'cpu',
  adapter: null,
  reason: new CrispenError('NO_WEBGPU', 'none'),
  cpu,
};

/** A session over an upscaler whose jobs end when the test says so. */
function setUp(detection: Detection = withGpu, canPickFile = false) {
  const jobs: {
    request: UpscaleRequest;
    close: ReturnType<typeof vi.fn>;
    finish: () => void;
    fail: (error: unknown) => void;
  }[] = [];
  const states: State[] = [];
  const upscaler = {
    detect: vi.fn(async () => detection),
    estimateCpu: vi.fn(async () => 12_000),
    upscale: vi.fn(
      (_source: unknown, request: UpscaleRequest = {}) =>
        new Promise<UpscaleOutput>((resolve, reject) => {
          const close = vi.fn();
          const image = { close } as unknown as Blob;
          jobs.push({
            request,
            close,
            finish: () => resolve({ image, backend: 'webgpu' } as UpscaleOutput),
            fail: reject,
          });
        }),
    ),
  };
  const session = new Session({
    upscaler: upscaler as unknown as Upscaler,
    models,
    draw: async (file) => file as unknown as ImageBitmap,
    canPickFile,
    onChange: (state) => states.push(state),
  });
  const settle = () => new Promise((resolve) => setTimeout(resolve));
  return { session, upscaler, jobs, states, settle };
}

const kind = (session: Session) => session.state.phase.kind;

describe('Session', () => {
  it('enlarges a picture with the chosen model', async () => {
    const { session, jobs, settle } = setUp();
    void session.open(small);
    await settle();
    expect(kind(session)).toBe('working');
    expect(jobs[0]?.request).toMatchObject({ scale: 2, model: 'a2n-photo-x2' });
    jobs[0]?.request.onProgress?.({ stage: 'upscale', fraction: 0.5, remainingMs: 100 });
    expect(session.state.phase).toMatchObject({ stage: 'upscale', fraction: 0.5 });
    jobs[0]?.finish();
    await settle();
    expect(session.state.phase).toMatchObject({ kind: 'done', result: { scale: 2 } });
  });

  it('restores at the own size of a picture, and enlarges what it restored', async () => {
    const { session, jobs, settle } = setUp();
    void session.open(small);
    await settle();
    void session.setScale(3);
    await settle();
    void session.setTask('dejpeg');
    await settle();
    void session.setScale(2);
    await settle();
    expect(jobs.map(({ request: { scale, model } }) => [scale, model]).slice(-2)).toEqual([
      [1, 'a2n-jpeg-x1'],
      [2, 'a2n-jpeg-x1'],
    ]);
    void session.setTask('upscale');
    await settle();
    expect(jobs.at(-1)?.request).toMatchObject({ scale: 2, model: 'a2n-photo-x2' });
    expect(session.state).toMatchObject({ task: 'upscale', scale: 2 });
  });

  it('ends the running job for a new picture and drops what it still brings', async () => {
    const { session, jobs, settle } = setUp();
    void session.open(small);
    await settle();
    const other = { ...small, name: 'dog.jpg' };
    void session.open(other);
    await settle();
    expect(jobs[0]?.request.signal?.aborted).toBe(true);
    jobs[0]?.request.onProgress?.({ stage: 'upscale', fraction: 0.9, remainingMs: 1 });
    jobs[0]?.finish();
    await settle();
    expect(jobs[0]?.close).toHaveBeenCalledOnce();
    expect(session.state).toMatchObject({
      picture: other,
      phase: { kind: 'working', fraction: 0 },
    });
    jobs[1]?.finish();
    await settle();
    expect(kind(session)).toBe('done');
  });

  it('runs again at another scale and frees the old result after it left the screen', async () => {
    const { session, jobs, states, settle } = setUp();
    void session.open(small);
    await settle();
    jobs[0]?.finish();
    await settle();
    const closedWhenShown: number[] = [];
    jobs[0]?.close.mockImplementation(() => closedWhenShown.push(states.length));
    const shown = states.length;
    void session.setScale(3);
    await settle();
    expect(closedWhenShown).toEqual([shown + 1]);
    expect(jobs[1]?.request).toMatchObject({ scale: 3, model: 'a2n-x3' });
    void session.setScale(2);
    await settle();
    expect(jobs[2]?.request.model).toBe('a2n-photo-x2');
  });

  it('keeps settings made before there is a picture', async () => {
    const { session, upscaler } = setUp();
    await session.setKind('a2n');
    await session.setScale(4);
    expect(session.state).toMatchObject({ scale: 4, model: { id: 'a2n-x4' } });
    expect(upscaler.upscale).not.toHaveBeenCalled();
  });

  it('cancels, and starts again', async () => {
    const { session, jobs, settle } = setUp();
    void session.open(small);
    await settle();
    session.cancel();
    expect(kind(session)).toBe('cancelled');
    jobs[0]?.fail(new CrispenError('ABORTED', 'cancelled'));
    await settle();
    expect(session.state).toMatchObject({ phase: { kind: 'cancelled' }, trouble: null });
    void session.restart();
    await settle();
    jobs[1]?.finish();
    await settle();
    expect(kind(session)).toBe('done');
    session.cancel();
    expect(kind(session)).toBe('done');
  });

  it('shows an error with its hint and works on', async () => {
    const { session, jobs, settle } = setUp();
    void session.open(small);
    await settle();
    jobs[0]?.fail(new CrispenError('DECODE_FAILED', 'Not a picture.', { hint: 'Try a PNG.' }));
    await settle();
    expect(session.state.trouble).toEqual({ message: 'Not a picture.', hint: 'Try a PNG.' });
    void session.open(small);
    await settle();
    expect(session.state.trouble).toBeNull();
  });

  it('keeps the result when saving fails', async () => {
    const { session, jobs, settle } = setUp();
    void session.open(small);
    await settle();
    jobs[0]?.finish();
    await settle();
    session.report({ message: 'No.', hint: '' });
    expect(kind(session)).toBe('done');
    expect(jobs[0]?.close).not.toHaveBeenCalled();
  });

  it('asks before a result that the browser may not bear', async () => {
    const { session, upscaler, jobs, settle } = setUp();
    await session.open({ ...small, size: { width: 20_000, height: 10 } });
    expect(kind(session)).toBe('confirm');
    expect(upscaler.upscale).not.toHaveBeenCalled();
    void session.restart();
    await settle();
    expect(jobs).toHaveLength(1);
    expect(jobs[0]?.request).toMatchObject({ preview: 2048 });
    expect(jobs[0]?.request.to).toBeUndefined();
  });

  it('writes a result that is too large to be shown to a file, each time to a new one', async () => {
    const { session, jobs, settle } = setUp(withGpu, true);
    const large = { ...small, size: { width: 20_000, height: 10 } };
    await session.open(large);
    expect(session.state.phase).toMatchObject({ kind: 'confirm', toFile: true });
    const file = { name: 'cat@2x.png' } as FileSystemFileHandle;
    void session.writeTo(file);
    await settle();
    expect(jobs[0]?.request).toMatchObject({ to: file, preview: 2048, metadata: 'drop' });
    session.cancel();
    await session.restart();
    expect(session.state.phase).toMatchObject({ kind: 'confirm', toFile: true });
    void session.writeTo(file);
    await settle();
    jobs[1]?.finish();
    await settle();
    expect(session.state.phase).toMatchObject({ kind: 'done', result: { savedAs: 'cat@2x.png' } });
    // One that is merely large needs no file.
    await session.open({ ...small, size: { width: 5000, height: 4000 } });
    expect(session.state.phase).toMatchObject({ kind: 'confirm', toFile: false });
  });

  it('runs on the processor at once where that takes less than a minute', async () => {
    const { session, upscaler, jobs, settle } = setUp(without);
    void session.open(small);
    await settle();
    expect(upscaler.estimateCpu).toHaveBeenCalledWith(30, 20, { scale: 2, model: 'a2n-photo-x2' });
    expect(jobs).toHaveLength(1);
    expect(jobs[0]?.request.method).toBeUndefined();
    expect(kind(session)).toBe('working');
  });

  it('asks before it takes more than a minute on the processor', async () => {
    const { session, upscaler, jobs, settle } = setUp(without);
    upscaler.estimateCpu.mockResolvedValue(61_000);
    await session.open(small);
    expect(session.state.phase).toEqual({ kind: 'choose', cpuMs: 61_000 });
    expect(upscaler.upscale).not.toHaveBeenCalled();
    void session.runWith('network');
    await settle();
    expect(jobs[0]?.request.method).toBeUndefined();
    // Another scale takes another time: the estimate comes first again.
    await session.setScale(4);
    expect(kind(session)).toBe('choose');
    void session.runWith('lanczos');
    await settle();
    void session.setScale(3);
    await settle();
    expect(jobs.slice(1).map((job) => job.request.method)).toEqual(['lanczos', 'lanczos']);
  });

  it('offers a resize alone where loops would have to do a large picture', async () => {
    const reason = new CrispenError('NO_WASM', 'none');
    const { session, upscaler, jobs, settle } = setUp({
      ...without,
      cpu: { ...cpu, code: 'loops', reason },
    });
    await session.open({ ...small, size: { width: 129, height: 128 } });
    expect(session.state.phase).toEqual({ kind: 'choose', cpuMs: null });
    expect(upscaler.estimateCpu).not.toHaveBeenCalled();
    void session.open({ ...small, size: { width: 128, height: 128 } });
    await settle();
    expect(jobs).toHaveLength(1);
  });

  it('finds out at once about a file that is no picture', async () => {
    const { session, jobs, settle } = setUp(without);
    void session.open({ ...small, size: null });
    await settle();
    jobs[0]?.fail(new CrispenError('DECODE_FAILED', 'Not a picture.'));
    await settle();
    expect(session.state).toMatchObject({
      phase: { kind: 'failed' },
      trouble: { message: 'Not a picture.' },
    });
  });
});
