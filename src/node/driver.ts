import { reportAdapter } from '../engine/gpu/adapter.ts';
import { CrispenError } from '../errors.ts';
import { findSwiftShader, findVulkanDrivers, loadVulkan } from './drivers.mjs';

// Dawn's instance must outlive its adapters and devices. If it is collected earlier, the process
// crashes.
let opened: GPU | undefined;

/**
 * WebGPU in Node through npm `webgpu` (Dawn), on the first driver that works: a real one,
 * SwiftShader from an installed Chromium, or lavapipe. The environment variable `VK_DRIVER_FILES`
 * overrides the search. The returned GPU has an adapter.
 * @throws CrispenError `NO_WEBGPU` with what to install.
 */
export async function openGpu(): Promise<GPU> {
  opened ??= await findGpu();
  return opened;
}

/** WebGPU on a real GPU; null if there is none or npm `webgpu` is not installed. */
export async function openRealGpu(): Promise<GPU | null> {
  const choices = driverChoices(false);
  if (choices.length === 0) return null;
  const { VK_DRIVER_FILES } = process.env;
  try {
    const found = await firstGpu(await loadDawn(), choices);
    const adapter = await found?.requestAdapter({ powerPreference: 'high-performance' });
    if (found && adapter && !reportAdapter(adapter).isFallbackAdapter) {
      opened ??= found;
      return opened;
    }
  } catch (error) {
    if (!(error instanceof CrispenError && error.code === 'NO_WEBGPU')) throw error;
  }
  if (VK_DRIVER_FILES === undefined) delete process.env.VK_DRIVER_FILES;
  return null;
}

async function findGpu(): Promise<GPU> {
  const dawn = await loadDawn();
  const hasLoader = loadVulkan();
  const gpu = await firstGpu(dawn, driverChoices(true));
  if (gpu) return gpu;
  throw new CrispenError('NO_WEBGPU', 'No GPU driver was found that WebGPU can use.', {
    hint: hasLoader
      ? 'Install a Vulkan driver for your graphics card, or Chromium, which includes a slow software driver: apt-get install chromium, or npx playwright install chromium. --device cpu needs no driver.'
      : 'There is no Vulkan loader (libvulkan.so.1): apt-get install libvulkan1. Or install Chromium, which includes a loader and a slow software driver. --device cpu needs no driver.',
  });
}

/** WebGPU on the first of the drivers that has an adapter. */
async function firstGpu(
  { create, globals }: typeof import('webgpu'),
  drivers: readonly (string | null)[],
): Promise<GPU | null> {
  Object.assign(globalThis, globals);
  loadVulkan();
  for (const driver of drivers) {
    // The Vulkan loader reads the variable for each new instance, so every attempt makes its own.
    if (driver !== null) process.env.VK_DRIVER_FILES = driver;
    // Enables subgroup matrices, which browsers keep behind a flag, and f16 on NVIDIA, which they have.
    const gpu = create(['enable-dawn-features=allow_unsafe_apis,vulkan_enable_f16_on_nvidia']);
    if (await gpu.requestAdapter({ powerPreference: 'high-performance' })) return gpu;
  }
  return null;
}

/** Values of `VK_DRIVER_FILES` to try, the best first. Null leaves the choice to the system. */
function driverChoices(withSoftware: boolean): (string | null)[] {
  const { VK_DRIVER_FILES, VK_ICD_FILENAMES } = process.env;
  if (process.platform !== 'linux' || VK_DRIVER_FILES || VK_ICD_FILENAMES) return [null];
  const { hardware, software } = findVulkanDrivers();
  const choices = withSoftware ? [findSwiftShader(), software.join(':')] : [];
  return [hardware.join(':'), ...choices].filter((choice) => choice !== null && choice !== '');
}

async function loadDawn(): Promise<typeof import('webgpu')> {
  try {
    return await import('webgpu');
  } catch (cause) {
    throw new CrispenError('NO_WEBGPU', 'WebGPU for Node is not installed.', {
      hint: 'Run npm install webgpu, or use --device cpu.',
      cause,
    });
  }
}
