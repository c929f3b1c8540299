import wabt from 'wabt';
import { moduleText, probeText, VARIANTS } from './module.ts';

/** Assembles a module's text. */
export async function assemble(text: string): Promise<Uint8Array> {
  const { parseWat } = await wabt();
  const module = parseWat('module.wat', text, { simd: true, relaxed_simd: true });
  try {
    module.validate();
    return module.toBinary({}).buffer;
  } finally {
    module.destroy();
  }
}

/**
 * Assembles the modules for all variants. Also assembles a probe for each variant. A probe is a
 * tiny module that is valid only in runtimes that support the variant. All modules are returned as
 * hexadecimal digits, which compress better than base64.
 */
export async function assembledModules(): Promise<{
  readonly modules: Readonly<Record<string, string>>;
  readonly probes: Readonly<Record<string, string>>;
}> {
  const hex = async (text: typeof moduleText) =>
    Object.fromEntries(
      await Promise.all(
        Object.entries(VARIANTS).map(async ([name, madd]) => {
          const bytes = await assemble(text(madd));
          return [name, Buffer.from(bytes).toString('hex')] as const;
        }),
      ),
    );
  return { modules: await hex(moduleText), probes: await hex(probeText) };
}
