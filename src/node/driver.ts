import { reportAdapter } from '../engine/gpu/adapter.ts';
import { CrispenError } from '../errors.ts';
import { findSwiftShader, findVulkanDrivers, loadVulkan } from './drivers.mjs';

// These variables keep the instances of Dawn (the npm package `webgpu`) alive. If an instance is
// garbage-collected before its adapters and devices, the process crashes.
let opened: GPU | undefined;
const kept: GPU[] = [];

/**
 * `allow_unsafe_apis` enables subgroup matrices, which browsers offer only behind a flag.
 * `vulkan_enable_f16_on_nvidia` enables f16 on NVIDIA GPUs, as browsers do by default.
 */
const FLAGS = ['enable-dawn-features=allow_unsafe_apis,vulkan_enable_f16_on_nvidia'] as const;

/**
 * Opens WebGPU in Node with the npm package `webgpu` (Dawn). Uses the first driver that works: a
 * hardware driver, SwiftShader from an installed Chromium, or lavapipe. The environment variable
 * `VK_DRIVER_FILES` overrides the search. The returned GPU always has an adapter.
 * @throws CrispenError `NO_WEBGPU`, with a hint about the packages to install.
 */
export async function openGpu(): Promise<GPU> {
  opened ??= await findGpu();
  return opened;
}

/**
 * Opens WebGPU on a real GPU. Returns null if there is none or if the npm package `webgpu` is not
 * installed.
 */
export async function openRealGpu(): Promise<GPU | null> {
  const choices = driverChoices(false);
  if (choices.length === 0) return null;
  const { VK_DRIVER_FILES } = process.env;
  const dawn = await loadDawn().catch(nullIfMissing);
  const found = dawn && (await firstGpu(dawn, choices));
  const adapter = found && (await adapterOf(found));
  if (found && adapter && !reportAdapter(adapter).isFallbackAdapter) {
    opened ??= found;
    return opened;
  }
  restoreDriver(VK_DRIVER_FILES);
  return null;
}

function restoreDriver(driver: string | undefined): void {
  if (driver === undefined) delete process.env.VK_DRIVER_FILES;
  else process.env.VK_DRIVER_FILES = driver;
}

/**
 * Opens all real GPUs that Dawn can distinguish, by trying each Vulkan driver and each power
 * preference. Dawn cannot distinguish several GPUs of the same model, so only one of them is
 * opened.
 */
export async function openRealGpus(): Promise<GPU[]> {
  const { VK_DRIVER_FILES } = process.env;
  const isChosen = process.platform !== 'linux' || Boolean(VK_DRIVER_FILES);
  const drivers = isChosen ? [null] : findVulkanDrivers().hardware;
  const dawn = await loadDawn().catch(nullIfMissing);
  if (!dawn) return [];
  try {
    const gpus: GPU[] = [];
    for (const driver of drivers) {
      if (driver !== null) process.env.VK_DRIVER_FILES = driver;
      const gpu = dawn.open();
      kept.push(gpu);
      // This call creates a Vulkan instance, so the Vulkan loader reads `VK_DRIVER_FILES`.
      await adapterOf(gpu);
      gpus.push(gpu);
    }
    return await tellApart(gpus);
  } finally {
    restoreDriver(VK_DRIVER_FILES);
  }
}

/**
 * Returns one GPU object for each hardware adapter that the given objects offer. Each new
 * object's `requestAdapter` returns its adapter for every power preference.
 */
export async function tellApart(gpus: readonly GPU[]): Promise<GPU[]> {
  const found = new Map<string, GPU>();
  for (const gpu of gpus) {
    for (const powerPreference of ['high-performance', 'low-power'] as const) {
      const request: GPU['requestAdapter'] = (options) =>
        adapterOf(gpu, { ...options, powerPreference });
      const adapter = await request();
      if (!adapter) continue;
      const report = reportAdapter(adapter);
      const { vendor, architecture, device, description } = report;
      const key = JSON.stringify([vendor, architecture, device, description]);
      if (report.isFallbackAdapter) continue;
      found.set(key, { requestAdapter: request } as GPU);
    }
  }
  return [...found.values()];
}

const adapterOf = (
  gpu: GPU,
  options: GPURequestAdapterOptions = { powerPreference: 'high-performance' },
): Promise<GPUAdapter | null> => gpu.requestAdapter(options);

async function findGpu(): Promise<GPU> {
  const dawn = await loadDawn();
  const gpu = await firstGpu(dawn, driverChoices(true));
  if (gpu) return gpu;
  throw new CrispenError('NO_WEBGPU', 'No GPU driver was found that WebGPU can use.', {
    hint: dawn.hasLoader
      ? 'Install a Vulkan driver for your graphics card, or Chromium, which includes a slow software driver: apt-get install chromium, or npx playwright install chromium. --device cpu needs no driver.'
      : 'There is no Vulkan loader (libvulkan.so.1): apt-get install libvulkan1. Or install Chromium, which includes a loader and a slow software driver. --device cpu needs no driver.',
  });
}

/** Opens WebGPU on the first driver that has an adapter. */
async function firstGpu(dawn: Dawn, drivers: readonly (string | null)[]): Promise<GPU | null> {
  for (const driver of drivers) {
    // The Vulkan loader reads `VK_DRIVER_FILES` only when an instance is created, so every attempt
    // creates a new instance.
    if (driver !== null) process.env.VK_DRIVER_FILES = driver;
    const gpu = dawn.open();
    if (await adapterOf(gpu)) return gpu;
  }
  return null;
}

/**
 * Returns the values of `VK_DRIVER_FILES` to try, best first. Null means that the system chooses
 * the driver.
 */
function driverChoices(withSoftware: boolean): (string | null)[] {
  const { VK_DRIVER_FILES, VK_ICD_FILENAMES } = process.env;
  if (process.platform !== 'linux' || VK_DRIVER_FILES || VK_ICD_FILENAMES) return [null];
  const { hardware, software } = findVulkanDrivers();
  const choices = withSoftware ? [findSwiftShader(), software.join(':')] : [];
  return [hardware.join(':'), ...choices].filter((choice) => choice !== null && choice !== '');
}

interface Dawn {
  /** Opens an instance, which has its own adapters. */
  readonly open: () => GPU;
  /** Whether there is a Vulkan loader. */
  readonly hasLoader: boolean;
}

async function loadDawn(): Promise<Dawn> {
  const { create, globals } = await import('webgpu').catch((cause: unknown) => {
    throw new CrispenError('NO_WEBGPU', 'WebGPU for Node is not installed.', {
      hint: 'Run npm install webgpu, or use --device cpu.',
      cause,
    });
  });
  Object.assign(globalThis, globals);
  return { open: () => create([...FLAGS]), hasLoader: loadVulkan() };
}

/** Returns null if the error means that WebGPU is not installed. Throws any other error. */
function nullIfMissing(error: unknown): null {
  if (error instanceof CrispenError && error.code === 'NO_WEBGPU') return null;
  throw error;
}
