import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { readSafetensors } from '../weights/safetensors.ts';

/**
 * Reads a golden file. If `other` is given, it reads the file with this name in the same folder
 * instead.
 */
export const readSafetensorsFile = async (path: string, other?: string) =>
  readSafetensors(await readFile(other === undefined ? path : join(dirname(path), other)));
