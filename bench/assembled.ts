import { assemble } from '../src/cpu/wat/assemble.ts';
import { type Registers, registersText } from './registers.ts';

/** Assembles the modules from `registers.ts` for a page that has no assembler. */
export async function assembleRegisters(): Promise<Registers> {
  const [simd, relaxed] = await Promise.all(
    [false, true].map(async (relaxed) =>
      Buffer.from(await assemble(registersText(relaxed))).toString('base64'),
    ),
  );
  return { simd, relaxed };
}
