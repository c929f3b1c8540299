import { create, globals } from 'webgpu';
import { loadVulkan } from '../src/cli/drivers.mjs';

// Kept for the life of the process: Dawn crashes now and then when its instance is collected while
// a device of it is alive.
let gpu: GPU | undefined;
let reported = false;
const MATRIX_FEATURE = 'chromium-experimental-subgroup-matrix' as GPUFeatureName;

/** WebGPU in Node, on the driver that gpu-setup.ts chose; the same object at every call. */
export function testGpu(): GPU {
  if (!gpu) {
    loadVulkan();
    Object.assign(globalThis, globals);
    // For the units that multiply matrices, where the adapter has them.
    gpu = create(['enable-dawn-features=allow_unsafe_apis']);
  }
  return gpu;
}

/** Never skips: throws without an adapter. */
export async function requestTestAdapter(): Promise<GPUAdapter> {
  const adapter = await testGpu().requestAdapter();
  if (adapter) return adapter;
  throw new Error(
    `No WebGPU adapter (VK_DRIVER_FILES=${process.env.VK_DRIVER_FILES ?? 'not set'}).`,
  );
}

/**
 * For tests in f16: null, said aloud, where the set-up (f16-setup.ts) found no adapter with `shader-f16`.
 * A test file that needs one while it loads asks here, so that it loads on every machine.
 */
export async function requestF16Adapter(): Promise<GPUAdapter | null> {
  const adapter = process.env.CRISPEN_NO_F16 ? null : await testGpu().requestAdapter();
  if (adapter?.features.has('shader-f16')) return adapter;
  console.warn('SKIPPED: no adapter with shader-f16 (lavapipe 25 would do): f16 untested');
  return null;
}

/**
 * A device with the specification's default limits, however much more the adapter has, so that a
 * kernel that asks too much fails here and not at a user's. Of features, what variants of kernels use.
 */
export async function requestTestDevice(): Promise<GPUDevice> {
  const adapter = await requestTestAdapter();
  if (!reported) {
    reported = true;
    const { vendor, architecture, description } = adapter.info;
    console.info(`adapter: ${[vendor, architecture, description].filter(Boolean).join(', ')}`);
  }
  const optional = ['subgroups', 'shader-f16', MATRIX_FEATURE] as const;
  return adapter.requestDevice({
    requiredFeatures: optional.filter((feature) => adapter.features.has(feature)),
  });
}
