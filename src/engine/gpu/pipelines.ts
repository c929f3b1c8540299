import { CrispenError } from '../../errors.ts';
import { bindingsOf, type Kernel, PARAM_WORDS } from '../../kernels/kernel.ts';
import { messageOf } from './failures.ts';

/** A compiled kernel. */
export interface Pipeline {
  readonly pipeline: GPUComputePipeline;
  readonly layout: GPUBindGroupLayout;
}

export const PARAM_BYTES = PARAM_WORDS * 4;

/** Describes a bind group that binds resources to a kernel in order, starting at binding 0. */
export const binding = (
  layout: GPUBindGroupLayout,
  resources: readonly GPUBindingResource[],
  label = '',
): GPUBindGroupDescriptor => ({
  label,
  layout,
  entries: resources.map((resource, index) => ({ binding: index, resource })),
});

const COMPUTE_STAGE = 0x4;

/** The members of `Device` that compilation needs. */
interface Compiler {
  readonly gpu: GPUDevice;
  scopes<T>(what: string, work: () => T): { result: T; verdict: Promise<void> };
  race<T>(what: string, promise: Promise<T>, work?: number, isCompiling?: boolean): Promise<T>;
  called<T>(call: () => T): T;
  throwIfLost(): void;
}

/**
 * The compiled kernels of a device and the layouts that they share. Each source is compiled once.
 */
export class Pipelines {
  readonly #device: Compiler;
  readonly #compiled = new Map<string, Promise<Pipeline>>();
  readonly #layouts = new Map<string, GPUBindGroupLayout>();

  constructor(device: Compiler) {
    this.#device = device;
  }

  /** The number of kernels that are compiled or being compiled. */
  get count(): number {
    return this.#compiled.size;
  }

  /**
   * Compiles a kernel asynchronously and only once per source.
   * @throws CrispenError `INTERNAL`.
   */
  compile(kernel: Kernel): Promise<Pipeline> {
    return this.#once(kernel.code, () => this.#compile(kernel));
  }

  /**
   * Compiles a shader that uses textures, which a `Kernel` cannot describe. The bind group layout
   * is derived from the shader's source.
   * @throws CrispenError `INTERNAL`, `DEVICE_LOST`
   */
  compileShader(label: string, code: string): Promise<Pipeline> {
    return this.#once(code, async () => {
      const pipeline = await this.#pipeline({ label, code }, () => 'auto');
      return { pipeline, layout: this.#device.called(() => pipeline.getBindGroupLayout(0)) };
    });
  }

  #once(code: string, make: () => Promise<Pipeline>): Promise<Pipeline> {
    const known = this.#compiled.get(code);
    if (known) return known;
    const made = make();
    this.#compiled.set(code, made);
    made.catch(() => this.#compiled.delete(code));
    return made;
  }

  async #compile(kernel: Kernel): Promise<Pipeline> {
    let layout!: GPUBindGroupLayout;
    const pipeline = await this.#pipeline(kernel, () => {
      layout = this.#layout(kernel);
      return this.#device.gpu.createPipelineLayout({ bindGroupLayouts: [layout] });
    });
    return { pipeline, layout };
  }

  async #pipeline(
    kernel: Pick<Kernel, 'label' | 'code'>,
    layoutOf: () => GPUPipelineLayout | 'auto',
  ): Promise<GPUComputePipeline> {
    const { label, code } = kernel;
    const { gpu } = this.#device;
    let module: GPUShaderModule | undefined;
    const { result: compiled, verdict } = this.#device.scopes(`compiling "${label}"`, () => {
      const layout = layoutOf();
      module = gpu.createShaderModule({ label, code });
      // This promise is not awaited here. Its rejection is handled below.
      const compiling = gpu.createComputePipelineAsync({
        label,
        layout,
        compute: { module, entryPoint: 'main' },
      });
      compiling.catch(() => {});
      return compiling;
    });
    try {
      const pipeline = await this.#device.race(`compiling "${label}"`, compiled, 0, true);
      await verdict;
      return pipeline;
    } catch (error) {
      this.#device.throwIfLost();
      throw await this.#compileError(kernel, module, error);
    }
  }

  /** Creates an error from the compiler's messages and the source lines that they refer to. */
  async #compileError(
    { label, code }: Pick<Kernel, 'label' | 'code'>,
    module: GPUShaderModule | undefined,
    cause: unknown,
  ): Promise<CrispenError> {
    const info = module && this.#device.called(() => module.getCompilationInfo());
    const told = info && (await this.#device.race('compiling', info).catch(() => null));
    this.#device.throwIfLost();
    const lines = code.split('\n');
    const errors = (told?.messages ?? [])
      .filter(({ type }) => type === 'error')
      .map(
        ({ lineNum, message }) => `line ${lineNum}: ${message}\n    ${lines[lineNum - 1] ?? ''}`,
      );
    const details = errors.length > 0 ? errors.join('\n') : messageOf(cause);
    return new CrispenError('INTERNAL', `Kernel "${label}" does not compile: ${details}`, {
      cause,
    });
  }

  #layout(kernel: Kernel): GPUBindGroupLayout {
    const bindings = bindingsOf(kernel);
    const key = bindings.join();
    const known = this.#layouts.get(key);
    if (known) return known;
    const layout = this.#device.gpu.createBindGroupLayout({
      label: key,
      entries: [
        {
          binding: 0,
          visibility: COMPUTE_STAGE,
          buffer: { type: 'uniform', hasDynamicOffset: true, minBindingSize: PARAM_BYTES },
        },
        ...bindings.map(
          (type, i): GPUBindGroupLayoutEntry => ({
            binding: i + 1,
            visibility: COMPUTE_STAGE,
            buffer: { type },
          }),
        ),
      ],
    });
    this.#layouts.set(key, layout);
    return layout;
  }
}
