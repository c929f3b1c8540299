import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { readSafetensors } from '../weights/safetensors.ts';

/**
 * Reads the golden file at `path`. If `other` is given, reads the file with that name in the same
 * folder instead.
 */
export const readSafetensorsFile = async (path: string, other?: string) =>
  readSafetensors(await readFile(other === undefined ? path : join(dirname(path), other)));
