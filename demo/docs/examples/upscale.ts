import { createUpscaler } from '../../../src/index.ts';

export async function run(output: HTMLElement, source: string | Blob) {
  const upscaler = createUpscaler({ baseUrl: './models/' });
  const { image, width, height, backend } = await upscaler.upscale(source, {
    output: 'image/png',
    onProgress: ({ fraction }) => output.setAttribute('aria-valuenow', `${fraction}`),
  });
  const picture = new Image(width, height);
  picture.src = URL.createObjectURL(image as Blob);
  picture.alt = `Enlarged by ${backend}`;
  output.append(picture);
  upscaler.destroy();
}
