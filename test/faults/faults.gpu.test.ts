/** Tests single faults. Each of them once caused wrong pixels, a hang or a failed job. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Device } from '../../src/engine/gpu/device.ts';
import { DEFAULT_PATIENCE } from '../../src/engine/gpu/watchdog.ts';
import { edsr } from '../../src/networks/edsr.ts';
import type { TensorMap } from '../../src/weights/tensor.ts';
import { testGpu } from '../gpu.ts';
import { seededWeights } from '../seeded.ts';
import { type Fault, FaultyGpu, type Mode } from './gpu.ts';
import { drawing, SCENARIOS, type Scenario } from './scenarios.ts';

const scenario = (name: string) => SCENARIOS.find((known) => known.name === name) as Scenario;
const compact = scenario('compact');
const expected: ArrayLike<number>[] = [];
let calls: FaultyGpu['calls'];

beforeAll(async () => {
  for (let i = 0; i < 2; i++) {
    const faulty = new FaultyGpu(testGpu(), null);
    const subject = compact.open(faulty);
    expected[0] = await subject.job(0);
    calls = [...faulty.calls];
    expected[1] = await subject.job(1);
    subject.close();
  }
  DEFAULT_PATIENCE.ms = 3000;
});
afterAll(() => {
  DEFAULT_PATIENCE.ms = 60_000;
});

/** Runs two jobs. One call fails in the first job. */
async function jobsWith(fault: Fault) {
  const faulty = new FaultyGpu(testGpu(), fault);
  const subject = compact.open(faulty);
  const settled = await Promise.allSettled([subject.job(0)]);
  const struck = faulty.fired;
  faulty.disarm();
  const next = await subject.job(1);
  subject.close();
  return { first: settled[0], next, struck };
}

/** Counts the calls to a function in a job. */
const countOf = (call: string): number => calls.filter((made) => made.call === call).length;

describe('a job whose device fails gives the right pixels, and so does the next', () => {
  it.each<[call: string, mode: Mode]>([
    ['GPUQueue.writeBuffer', 'dropped'],
    ['GPUQueue.writeBuffer', 'zeros'],
    ['GPUQueue.submit', 'dropped'],
    ['GPUBuffer.getMappedRange', 'zeros'],
    ['GPUBuffer.getMappedRange', 'garbage'],
    ['GPUBuffer.getMappedRange', 'short'],
    ['GPUBuffer.getMappedRange', 'empty'],
    ['GPUBuffer.mapAsync', 'never'],
    ['GPUBuffer.mapAsync', 'lost-later'],
    ['GPUBuffer.mapAsync', 'loss'],
    ['GPUQueue.onSubmittedWorkDone', 'never'],
    ['GPUDevice.popErrorScope', 'never'],
    ['GPUQueue.submit', 'loss'],
    ['GPUAdapter.requestDevice', 'loss'],
    ['GPUDevice.createComputePipelineAsync', 'never'],
  ])('%s: %s', async (call, mode) => {
    const count = countOf(call);
    expect(count).toBeGreaterThan(0);
    for (const index of new Set([0, count >> 1, count - 1])) {
      const { first, next, struck } = await jobsWith({ call, index, mode });
      expect(struck).toBe(true);
      expect(first).toEqual({ status: 'fulfilled', value: expected[0] });
      expect(next).toEqual(expected[1]);
    }
  });
});

it('a last kernel that did not run is noticed by its mark', async () => {
  const call = 'GPUComputePassEncoder.dispatchWorkgroups';
  const { first, next, struck } = await jobsWith({
    call,
    index: countOf(call) - 1,
    mode: 'dropped',
  });
  expect(struck).toBe(true);
  expect(first).toEqual({ status: 'fulfilled', value: expected[0] });
  expect(next).toEqual(expected[1]);
});

/** Runs a scenario's first job without faults, and counts its calls to a function. */
async function soundJob({ open }: Scenario, call: string) {
  const faulty = new FaultyGpu(testGpu(), null);
  const subject = open(faulty);
  const result = await subject.job(0);
  subject.close();
  return { result, count: faulty.calls.filter((made) => made.call === call).length };
}

it('a submission amid others that was dropped is noticed by its mark', async () => {
  const a2n = scenario('a2n');
  const call = 'GPUQueue.submit';
  const { result, count } = await soundJob(a2n, call);
  const faulty = new FaultyGpu(testGpu(), { call, index: count >> 1, mode: 'dropped' });
  const subject = a2n.open(faulty);
  expect(await subject.job(0)).toEqual(result);
  expect(faulty.fired).toBe(true);
  subject.close();
});

it('rows to resize for which there is no memory end in OUT_OF_MEMORY', async () => {
  const resize = scenario('resize');
  const call = 'GPUQueue.writeBuffer';
  const { result, count } = await soundJob(resize, call);
  const faulty = new FaultyGpu(testGpu(), { call, index: count - 1, mode: 'out-of-memory' });
  const subject = resize.open(faulty);
  await expect(subject.job(0)).rejects.toMatchObject({ code: 'OUT_OF_MEMORY' });
  expect(await subject.job(0)).toEqual(result);
  subject.close();
});

const sized = (gpu: GPUDevice) => void gpu.createBuffer({ size: 4, usage: 0 });
/** A driver cannot be forced to run out of memory, so this test dispatches the event itself. */
const full = (gpu: GPUDevice) => {
  const error = new GPUOutOfMemoryError('full');
  gpu.dispatchEvent(Object.assign(new Event('uncapturederror'), { error }));
};
it.each([
  ['INTERNAL', sized],
  ['OUT_OF_MEMORY', full],
])('an error outside of all scopes is heard, once: %s', async (code, refuse) => {
  const device = await Device.open(testGpu());
  try {
    refuse(device.gpu);
    await device.idle();
    // The driver delivers events when the event loop is idle.
    await new Promise((resolve) => setTimeout(resolve, 50));
    await expect(device.scoped('work', () => {})).rejects.toMatchObject({ code });
    await device.scoped('more work', () => {});
  } finally {
    device.destroy();
  }
});

describe('a job that is refused something ends in a typed error, and the next is right', () => {
  it.each<[call: string, mode: Mode, code: string]>([
    ['GPUQueue.writeBuffer', 'out-of-memory', 'OUT_OF_MEMORY'],
    ['GPUQueue.writeBuffer', 'validation', 'INTERNAL'],
    ['GPUQueue.submit', 'validation', 'INTERNAL'],
    ['GPUBuffer.getMappedRange', 'throw', 'INTERNAL'],
    ['GPUDevice.createBindGroup', 'throw', 'INTERNAL'],
    ['GPUDevice.createShaderModule', 'throw', 'INTERNAL'],
    ['GPUAdapter.requestDevice', 'never', 'NO_WEBGPU'],
    ['GPU.requestAdapter', 'never', 'NO_WEBGPU'],
  ])('%s: %s gives %s', async (call, mode, code) => {
    const { first, next, struck } = await jobsWith({ call, index: 0, mode });
    expect(struck).toBe(true);
    expect(first).toMatchObject({ status: 'rejected', reason: { code } });
    expect(next).toEqual(expected[1]);
  });
});

it('pixels of a tile for which there is no memory end in OUT_OF_MEMORY', async () => {
  const call = 'GPUQueue.writeBuffer';
  const index = countOf(call) - 1;
  const { first, next, struck } = await jobsWith({ call, index, mode: 'out-of-memory' });
  expect(struck).toBe(true);
  expect(first).toMatchObject({ status: 'rejected', reason: { code: 'OUT_OF_MEMORY' } });
  expect(next).toEqual(expected[1]);
});

it('a drawn result of one colour is BLANK_RESULT', async () => {
  const network = edsr({ scale: 2, features: 4, blocks: 1 });
  const zeros: TensorMap = new Map(
    [...seededWeights(network)].map(([name, { shape, bytes }]) => [
      name,
      { dtype: 'f32', shape, bytes: new Uint8Array(bytes.length) },
    ]),
  );
  const subject = drawing(network, zeros)(new FaultyGpu(testGpu(), null));
  await expect(subject.job(0)).rejects.toMatchObject({ code: 'BLANK_RESULT' });
  subject.close();
  const sound = drawing(network)(new FaultyGpu(testGpu(), null));
  expect(new Set(Array.from(await sound.job(0))).size).toBeGreaterThan(2);
  sound.close();
});
