import { readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import { CrispenError } from '../errors.ts';
import { DEVICES, openBackend } from '../node/backend.ts';
import { PACKAGE_ROOT } from '../node/model.ts';
import { choice } from './command.ts';
import { drawLargeCrops, TITLE } from './large-crops.ts';

export const CROPS_USAGE = `
npm run quality:crops -- [options]

Enlarges the parts of photos in docs/quality/photos four times and writes the pictures to docs/quality and their
section to QUALITY.md. quality:report writes the same, among everything else.

  --out FILE       the file with the section (default QUALITY.md)
  --device NAME    gpu or cpu (default auto: a GPU, or else the CPU)
  --help           this text
`;

/** Runs the command `quality:crops`. */
export async function cropsCommand(args: string[]): Promise<number> {
  const { values } = parseArgs({
    args,
    options: {
      out: { type: 'string', default: join(PACKAGE_ROOT, 'QUALITY.md') },
      device: { type: 'string', default: 'auto' },
    },
  });
  const backend = await openBackend(choice('--device', values.device, DEVICES));
  try {
    const before = await readFile(values.out, 'utf8');
    const section = await drawLargeCrops(backend, join(dirname(values.out), 'docs/quality'));
    await writeFile(values.out, withSection(before, section.join('\n')));
  } finally {
    backend.close();
  }
  return 0;
}

/**
 * Replaces the `TITLE` section of a Markdown document. The section ends at the next `##` heading or
 * at the end of the document.
 * @throws CrispenError `INVALID_INPUT` if the document does not contain this section
 */
export function withSection(text: string, section: string): string {
  const start = text.indexOf(`\n${TITLE}\n`);
  if (start < 0) {
    throw new CrispenError('INVALID_INPUT', `There is no section "${TITLE}" to replace.`, {
      hint: 'Add its title where it belongs.',
    });
  }
  const next = text.indexOf('\n## ', start + 1);
  return `${text.slice(0, start)}${section}\n${next < 0 ? '' : text.slice(next)}`;
}
