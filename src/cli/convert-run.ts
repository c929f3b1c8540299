import { extname } from 'node:path';
import { parseArgs } from 'node:util';
import { readWeightFile } from '../node/model.ts';
import { findOutput, writeOutput } from '../node/output.ts';
import { halve } from '../weights/halve.ts';
import { writeSafetensors } from '../weights/writeSafetensors.ts';
import { UsageError } from './command.ts';

export const CONVERT_USAGE = `
npm run convert -- INPUT OUTPUT.safetensors [options]

Writes the tensors of a weight file (.pth, .pt, .ckpt, .safetensors) as safetensors. Wrappers and their
prefixes are removed; the values stay the same, bit for bit.

  --f16            round real numbers to 16 bits, which halves the size
  --json           print one line of JSON {input, output, format, tensors, bytes}
  --help           this text
`;

/** Runs the command `convert`. */
export async function convertCommand(args: string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      f16: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
    },
  });
  const [input, output, ...rest] = positionals;
  if (input === undefined || output === undefined || rest.length > 0) {
    throw new UsageError('Name one input file and one output file.');
  }
  if (extname(output).toLowerCase() !== '.safetensors') {
    throw new UsageError(`The output must be a .safetensors file, not "${extname(output)}".`);
  }
  const to = await findOutput(output, input);
  const { file } = await readWeightFile(input);
  const tensors = values.f16 ? halve(file.tensors) : file.tensors;
  const bytes = writeSafetensors(tensors, file.metadata);
  await writeOutput(to, bytes);
  if (values.json) {
    const line = { input, output, format: file.format, tensors: tensors.size, bytes: bytes.length };
    console.log(JSON.stringify(line));
  } else
    console.log(`${output}: ${tensors.size} tensors, ${bytes.length.toLocaleString('en')} bytes`);
  return 0;
}
