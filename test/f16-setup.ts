import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { findVulkanDrivers } from '../src/node/drivers.mjs';

/**
 * Before the f16 tests, selects a driver with shader-f16, because SwiftShader lacks it.
 * `$CRISPEN_F16_ICD` can name the driver. Otherwise, lavapipe 25 next to the project or one of the
 * system's drivers is used. Without a driver, the tests print a message and are skipped.
 */
export default function setup(): void {
  if (!process.env.CRISPEN_LARGE)
    console.warn(
      'SKIPPED in f16: models and larger kernels. CRISPEN_LARGE=1 runs them, maybe for an hour.',
    );
  const driver = candidates().find((icd) => existsSync(icd) && hasF16(icd));
  if (driver === undefined) process.env.CRISPEN_NO_F16 = '1';
  else process.env.VK_DRIVER_FILES = driver;
}

function candidates(): string[] {
  const chosen = process.env.CRISPEN_F16_ICD;
  if (chosen !== undefined) return [chosen];
  const shared = process.env.CRISPEN_SHARED ?? '../shared';
  const { hardware, software } = findVulkanDrivers();
  return [resolve(shared, 'gpu/lavapipe25/lvp_icd.json'), ...software, ...hardware];
}

/**
 * Returns whether the driver has an adapter with shader-f16. The check runs in a separate process,
 * because it can crash.
 */
function hasF16(icd: string): boolean {
  try {
    execFileSync(process.execPath, ['scripts/adapter.mjs', '--f16'], {
      env: { ...process.env, VK_DRIVER_FILES: icd },
      stdio: 'ignore',
      timeout: 60_000,
    });
    return true;
  } catch {
    return false;
  }
}
