import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { findVulkanDrivers } from '../src/cli/drivers.mjs';

/**
 * Before the f16 tests: picks a driver with shader-f16, which SwiftShader lacks. `$CRISPEN_F16_ICD`
 * names one; else lavapipe 25 beside the project or a driver of the system serves. Without any, the
 * tests skip aloud.
 */
export default function setup(): void {
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

/** Whether the driver gives an adapter with shader-f16: asked in a process of its own, as it may crash. */
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
