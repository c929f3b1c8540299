import { create, globals } from 'webgpu';
import { loadVulkan } from '../src/node/drivers.mjs';

// The instance is kept until the process ends, because Dawn sometimes crashes if its instance is
// garbage-collected before its devices.
let gpu: GPU | undefined;
let reported = false;
/** The workgroup memory that kernels with subgroup matrices can use, in bytes. */
export const TEST_MATRIX_BYTES = 32768;
/**
 * Enables subgroup matrices and f16, if the adapter has them. As in the tested browsers, workgroup
 * memory is not set to zero. No kernel relies on this initialisation, and software adapters compile
 * kernels in two thirds of the time without it.
 */
const TOGGLES = ['allow_unsafe_apis', 'vulkan_enable_f16_on_nvidia', 'disable_workgroup_init'];
const MATRIX_FEATURE = 'chromium-experimental-subgroup-matrix' as GPUFeatureName;

/**
 * Returns WebGPU in Node on the driver that gpu-setup.ts selected. The object is always the same.
 */
export function testGpu(): GPU {
  if (!gpu) {
    loadVulkan();
    Object.assign(globalThis, globals);
    gpu = create([`enable-dawn-features=${TOGGLES.join(',')}`]);
  }
  return gpu;
}

/** Returns an adapter. Throws an error if there is none, and never skips a test. */
export async function requestTestAdapter(): Promise<GPUAdapter> {
  const adapter = await testGpu().requestAdapter();
  if (adapter) return adapter;
  throw new Error(
    `No WebGPU adapter (VK_DRIVER_FILES=${process.env.VK_DRIVER_FILES ?? 'not set'}).`,
  );
}

/**
 * Returns an adapter for f16 tests, or null with a message if the setup (f16-setup.ts) found no
 * adapter with `shader-f16`. Test files that need an adapter while they load call this function, so
 * they load on every machine.
 */
export async function requestF16Adapter(): Promise<GPUAdapter | null> {
  const adapter = process.env.CRISPEN_NO_F16 ? null : await testGpu().requestAdapter();
  if (adapter?.features.has('shader-f16')) return adapter;
  console.warn('SKIPPED: no adapter with shader-f16 (lavapipe 25 would do): f16 untested');
  return null;
}

/**
 * Returns a device with the specification's default limits, even if the adapter supports more. A
 * kernel that needs too much then fails here and not on a user's machine. The device has the
 * features that the kernel variants need.
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
    // Kernels with matrices may use more workgroup memory, as on the engine's own device.
    requiredLimits: hasMatrices ? { maxComputeWorkgroupStorageSize: TEST_MATRIX_BYTES } : {},
    requiredFeatures: optional.filter((feature) => adapter.features.has(feature)),
  });
}
