import { parseArgs } from 'node:util';
import { EXAMPLES } from '../kernels/examples.ts';
import { choice, UsageError } from './command.ts';

export const SHADER_USAGE = `
npm run shader -- [NAME] [options]

Prints the expanded WGSL of a shader, such as conv/conv. Without a name, it lists all shaders and their
variants.

  --variant NAME     the variant (default: the first)
  --element TYPE     the element type of maps and weights: f32 or f16 (default f32)
  --help             this text
`;

/** Runs the command `shader`. */
export function shaderCommand(args: string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      variant: { type: 'string' },
      element: { type: 'string', default: 'f32' },
    },
  });
  const [name, ...rest] = positionals;
  if (rest.length > 0) throw new UsageError('Name one shader at a time.');
  if (name === undefined) {
    for (const [shader, variants] of Object.entries(EXAMPLES)) {
      console.log(`${shader.padEnd(26)}${Object.keys(variants).join(' ')}`);
    }
    return Promise.resolve(0);
  }
  const shader = choice('NAME', name, Object.keys(EXAMPLES));
  const variants = EXAMPLES[shader];
  const all = Object.keys(variants);
  const variant = choice('--variant', values.variant ?? all[0], all);
  const element = choice('--element', values.element, ['f32', 'f16'] as const);
  console.log(variants[variant](element).code);
  return Promise.resolve(0);
}
