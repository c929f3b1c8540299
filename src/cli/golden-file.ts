import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { readSafetensors } from '../weights/safetensors.ts';

/** A golden file; `other`: the file of that name beside it. */
export const readSafetensorsFile = async (path: string, other?: string) =>
  readSafetensors(await readFile(other === undefined ? path : join(dirname(path), other)));
