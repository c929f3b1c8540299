import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { readSafetensors } from '../weights/safetensors.ts';

/** Reads a golden file. If `other` is given, reads the file of that name next to it. */
export const readSafetensorsFile = async (path: string, other?: string) =>
  readSafetensors(await readFile(other === undefined ? path : join(dirname(path), other)));
