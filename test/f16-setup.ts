import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';

/**
 * Before the f16 tests: SwiftShader has no shader-f16, so they run on lavapipe 25 where its driver
 * lies beside the project and the libraries that it needs are installed, or on the driver named in
 * `$CRISPEN_F16_ICD`; elsewhere they skip aloud.
 */
export default function setup(): void {
  const shared = process.env.CRISPEN_SHARED ?? '../shared';
  const icd = process.env.CRISPEN_F16_ICD ?? resolve(shared, 'gpu/lavapipe25/lvp_icd.json');
  if (existsSync(icd) && loads(icd)) {
    process.env.VK_DRIVER_FILES = icd;
    return;
  }
  process.env.CRISPEN_NO_F16 = '1';
}

/** Whether a device can be had from the driver: tried in a process of its own, as it may crash. */
function loads(icd: string): boolean {
  try {
    execFileSync(process.execPath, ['scripts/adapter.mjs'], {
      env: { ...process.env, VK_DRIVER_FILES: icd },
      stdio: 'ignore',
      timeout: 60_000,
    });
    return true;
  } catch {
    return false;
  }
}
