import { create, globals } from 'webgpu';
import { loadVulkan } from '../src/node/drivers.mjs';

// Kept until the process ends, because Dawn sometimes crashes if its instance is collected before
// its devices.
let gpu: GPU | undefined;
let reported = false;
/** Workgroup memory for kernels with subgroup matrices. */
export const TEST_MATRIX_BYTES = 32768;
/**
 * Subgroup matrices and f16, if the adapter has them. Memory of workgroups is not set to zero, as it is in
 * browsers: no kernel relies on it, and software adapters compile kernels in two thirds of the time.
 */
const TOGGLES = ['allow_unsafe_apis', 'vulkan_enable_f16_on_nvidia', 'disable_workgroup_init'];
const MATRIX_FEATURE = 'chromium-experimental-subgroup-matrix' as GPUFeatureName;

/** WebGPU in Node, on the driver that gpu-setup.ts chose; always the same object. */
export function testGpu(): GPU {
  if (!gpu) {
    loadVulkan();
    Object.assign(globalThis, globals);
    gpu = create([`enable-dawn-features=${TOGGLES.join(',')}`]);
  }
  return gpu;
}

/** Never skips; throws without an adapter. */
export async function requestTestAdapter(): Promise<GPUAdapter> {
  const adapter = await testGpu().requestAdapter();
  if (adapter) return adapter;
  throw new Error(
    `No WebGPU adapter (VK_DRIVER_FILES=${process.env.VK_DRIVER_FILES ?? 'not set'}).`,
  );
}

/**
 * For f16 tests: null, with a message, if the setup (f16-setup.ts) found no adapter with
 * `shader-f16`. A test file that needs one while it loads calls this, so it loads on every machine.
 */
export async function requestF16Adapter(): Promise<GPUAdapter | null> {
  const adapter = process.env.CRISPEN_NO_F16 ? null : await testGpu().requestAdapter();
  if (adapter?.features.has('shader-f16')) return adapter;
  console.warn('SKIPPED: no adapter with shader-f16 (lavapipe 25 would do): f16 untested');
  return null;
}

/**
 * A device with the specification's default limits, even if the adapter has more. A kernel that
 * needs too much then fails here and not on a user's machine. It has the features of the kernel
 * variants.
 */
export async function requestTestDevice(): Promise<GPUDevice> {
  const adapter = await requestTestAdapter();
  if (!reported) {
    reported = true;
    const { vendor, architecture, description } = adapter.info;
    console.info(`adapter: ${[vendor, architecture, description].filter(Boolean).join(', ')}`);
  }
  const optional = ['subgroups', 'shader-f16', MATRIX_FEATURE] as const;
  const hasMatrices = adapter.features.has(MATRIX_FEATURE);
  return adapter.requestDevice({
    // Kernels with matrices may use more, as the engine's device lets them.
    requiredLimits: hasMatrices ? { maxComputeWorkgroupStorageSize: TEST_MATRIX_BYTES } : {},
    requiredFeatures: optional.filter((feature) => adapter.features.has(feature)),
  });
}
