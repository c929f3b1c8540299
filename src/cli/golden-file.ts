import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { readSafetensors } from '../weights/safetensors.ts';

/** Reads the golden file at `path` or, if `other` is given, the file `other` in the same folder. */
export const readSafetensorsFile = async (path: string, other?: string) =>
  readSafetensors(await readFile(other === undefined ? path : join(dirname(path), other)));
