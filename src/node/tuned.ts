/** Stores the measured kernel choices in a file in the user's cache folder. */
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import type { Device } from '../engine/gpu/device.ts';
import { tuningFor } from '../engine/tune/tuning.ts';
import type { AdapterReport } from '../engine/types.ts';
import type { TuneMode } from '../worker/protocol.ts';
import { type TunedPlatform, type TuningStore, tunedFor, tuneOnce } from '../worker/tuned.ts';

/** Returns the path of Crispen's cache folder, which depends on the operating system. */
export function cacheFolder(
  platform: NodeJS.Platform = process.platform,
  env: Readonly<Record<string, string | undefined>> = process.env,
): string {
  const { XDG_CACHE_HOME, LOCALAPPDATA } = env;
  if (platform === 'win32')
    return join(LOCALAPPDATA ?? join(homedir(), 'AppData/Local'), 'crispen');
  if (platform === 'darwin') return join(homedir(), 'Library/Caches/crispen');
  return join(XDG_CACHE_HOME || join(homedir(), '.cache'), 'crispen');
}

/** Stores JSON values by key in one file. A file that is missing or damaged is treated as empty. */
export function fileStore(path: string): TuningStore {
  const all = async (): Promise<Record<string, unknown>> => {
    try {
      const content: unknown = JSON.parse(await readFile(path, 'utf8'));
      return typeof content === 'object' && content !== null ? { ...content } : {};
    } catch {
      return {};
    }
  };
  return {
    read: async (key) => (await all())[key] ?? null,
    async write(key, value) {
      await mkdir(dirname(path), { recursive: true });
      // The new file replaces the old one in one step, because another process might be reading or
      // writing the file.
      const own = `${path}.${process.pid}`;
      await writeFile(own, `${JSON.stringify({ ...(await all()), [key]: value }, null, 2)}\n`);
      await rename(own, path);
    },
  };
}

/**
 * Returns the version of Dawn (the package `webgpu`), which identifies the shader compiler. The
 * driver's version is unknown, because the adapter report does not contain it.
 */
function dawnVersion(): string {
  try {
    return createRequire(import.meta.url)('webgpu/package.json').version;
  } catch {
    return 'unknown';
  }
}

const platformOf = (gpu: GPU): TunedPlatform => ({
  measure: async (options) => (await import('../engine/tune/measure.ts')).tune(gpu, options),
  store: fileStore(join(cacheFolder(), 'tuning.json')),
  userAgent: `webgpu ${dawnVersion()}, node ${process.version}`,
});

/**
 * Returns the function that `Engine.create` calls to get an adapter's tuning. If `mode` is `off` or
 * the adapter is a software adapter, nothing is measured, and the tuning comes from the table of
 * adapter families (`FAMILIES`).
 */
export const tuningInNode = (gpu: GPU, mode: TuneMode) => (adapter: AdapterReport) =>
  mode === 'off' || adapter.isFallbackAdapter
    ? tuningFor(adapter)
    : tunedFor(adapter, mode, platformOf(gpu));

/**
 * Benchmarks the GPU if no result is stored for it yet; see `tuneOnce`. If an error occurs, it is
 * ignored and nothing is stored.
 */
export async function tuneInNode(gpu: GPU, device: Device, signal?: AbortSignal): Promise<void> {
  try {
    await tuneOnce(device, platformOf(gpu), { signal });
  } catch {}
}
