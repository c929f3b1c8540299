/**
 * Lets WebGPU programmers run a network as part of their own frame. The network runs on their
 * device and in their command encoder, from texture to texture. Nothing is read back.
 */
import { CrispenError, internal } from '../../errors.ts';
import type { Size } from '../../geometry.ts';
import { paddingOf } from '../../graph/analysis.ts';
import { pixelsToTexture, textureToPixels } from '../../kernels/pixels/texture.ts';
import type { Network } from '../../networks/network.ts';
import { checkOptions, checkValue, choice, type Rules, side } from '../../options.ts';
import type { TensorMap } from '../../weights/tensor.ts';
import type { Fusion } from '../compile/fuse.ts';
import { bindWeights } from '../compile/weights.ts';
import { reportAdapter } from '../gpu/adapter.ts';
import { Arena, uniformStride } from '../gpu/arena.ts';
import { Buffers } from '../gpu/buffers.ts';
import { Device } from '../gpu/device.ts';
import { uploadModel } from '../gpu/model.ts';
import { binding, type Pipeline } from '../gpu/pipelines.ts';
import { upload } from '../gpu/reading.ts';
import { defaultBudget, lowerFor } from '../lowerFor.ts';
import { paddedSize } from '../tile/bordered.ts';
import { doneWord } from '../tile/strips.ts';
import { tuningFor } from '../tune/tuning.ts';
import { texturePass } from './draw.ts';

export interface EncodableOptions extends Size {
  /** The fusion level. The default is `ops` on all adapters. */
  readonly fuse?: Fusion;
}

const RULES: Rules<EncodableOptions> = {
  width: side(),
  height: side(),
  fuse: choice<Fusion>(['none', 'ops', 'blocks']),
};

/** A network that is prepared for images of one size. */
export interface EncodableNetwork {
  /** The width and height of the output in pixels. */
  readonly width: number;
  readonly height: number;
  /** The total size of the GPU buffers in bytes, including weights. */
  readonly bytes: number;
  /**
   * Two u32 values, cleared at the start of each run. The first becomes 1 if the network produces a
   * value that is not finite. After a complete run, the second equals this object's `done`
   * property. If it has any other value, the output texture does not contain the result.
   */
  readonly status: GPUBuffer;
  readonly done: number;
  /**
   * Encodes one run: two compute passes for the textures and one for the network. This method can
   * be called any number of times. Runs share their buffers and execute in queue order.
   *
   * @param input a texture of the prepared size in a format such as `rgba8unorm`, with usage
   *   `TEXTURE_BINDING`. Its values are in the range 0 to 1 in sRGB, not premultiplied.
   * @param output a texture of the output's size (`width` x `height`) in the format `rgba8unorm`,
   *   with usage `STORAGE_BINDING`
   * @throws CrispenError `INVALID_INPUT` for textures of a different size
   */
  encode(encoder: GPUCommandEncoder, input: GPUTexture, output: GPUTexture): void;
  destroy(): void;
}

/**
 * Uploads a network to a device, compiles its kernels and allocates its feature maps for images of
 * `width` x `height` pixels. Images are processed whole, without tiles. The caller still owns the
 * device.
 *
 * @throws CrispenError `INVALID_INPUT` for invalid options, `MODEL_UNSUPPORTED` for weights that do
 *   not fit the network, `OUT_OF_MEMORY`, `DEVICE_LOST`
 */
export async function prepareNetwork(
  gpu: GPUDevice,
  network: Network,
  weights: TensorMap,
  options: EncodableOptions,
): Promise<EncodableNetwork> {
  const { width, height, fuse } = checkOptions('prepareNetwork', options, RULES);
  checkValue('The option width', width, RULES.width);
  checkValue('The option height', height, RULES.height);
  const device = new Device(gpu, reportAdapter({ info: gpu.adapterInfo, features: gpu.features }));
  const { graph, scale } = network;
  const target = {
    device,
    tuning: await tuningFor(device.adapter),
    memoryBudget: defaultBudget(device),
  };
  const program = await lowerFor(target, network, { fuse, image: { wide: false } });
  const model = await uploadModel(device, network, program, bindWeights(graph, weights));
  const { image } = program;
  if (!image) throw internal('the program was lowered without image conversion');
  // Some networks need a padded image. If the padding includes a border on all four sides, the
  // shader that reads the texture creates all of the padding, by reflection. Otherwise, the kernel
  // that converts the pixels to a map creates the padding, by reflection or with a constant value.
  const padding = paddingOf(graph);
  const { border = 0 } = padding;
  const size = paddedSize(padding, { width, height });
  const held = border > 0 ? size : { width, height };
  const buffers = new Buffers(device);
  const release = () => {
    buffers.destroy();
    model.weights.destroy();
  };
  try {
    const arena = await Arena.create(buffers, model, size);
    const mark = device.mark();
    const sized = arena.sized({
      core: { x: border, y: border, width, height },
      source: { x: 0, y: 0, ...size },
      image: held,
      mark,
    });
    // For some image sizes, a step has no workgroups. Its dispatch is left out.
    const dispatches = sized.filter(({ grid }) => grid.every((groups) => groups > 0));
    const stride = uniformStride(device);
    const words = new Uint32Array((dispatches.length * stride) / 4);
    dispatches.forEach(({ params }, i) => {
      words.set(params, (i * stride) / 4);
    });
    await upload(device, 'preparing the network', [{ buffer: arena.uniforms, data: words }]);
    const [read, write] = await Promise.all([
      device.compileShader('texture to pixels', textureToPixels(held, border)),
      device.compileShader('pixels to texture', pixelsToTexture),
    ]);
    const status = arena.buffer(image.status);
    const pixels = arena.buffer(image.source);
    const packed = arena.buffer(image.packed);
    const made = { width: width * scale, height: height * scale };
    return {
      ...made,
      bytes: buffers.bytes + model.weights.size,
      status,
      done: doneWord(dispatches, mark),
      encode(encoder, input, output) {
        checkSize('input', input, { width, height });
        checkSize('output', output, made);
        device.called(() => {
          const bind = ({ layout }: Pipeline, ...resources: GPUBindingResource[]) =>
            gpu.createBindGroup(binding(layout, resources));
          encoder.clearBuffer(status);
          texturePass(encoder, read, bind(read, input.createView(), { buffer: pixels }), held);
          const run = encoder.beginComputePass();
          dispatches.forEach(({ pipeline, bindGroup, grid }, i) => {
            run.setPipeline(pipeline.pipeline);
            run.setBindGroup(0, bindGroup, [i * stride]);
            run.dispatchWorkgroups(...grid);
          });
          run.end();
          const view = output.createView();
          texturePass(encoder, write, bind(write, { buffer: packed }, view), output);
        });
      },
      destroy: release,
    };
  } catch (error) {
    release();
    throw error;
  }
}

function checkSize(what: string, texture: GPUTexture, { width, height }: Size): void {
  if (texture.width === width && texture.height === height) return;
  throw new CrispenError(
    'INVALID_INPUT',
    `The ${what} texture has ${texture.width} x ${texture.height} texels.`,
    { hint: `The network was prepared for ${width} x ${height}.` },
  );
}
