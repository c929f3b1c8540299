import { attachPreview } from '../../../src/element/preview.ts';
import { createUpscaler } from '../../../src/index.ts';

export async function run(output: HTMLElement, source: Blob) {
  const input = Object.assign(document.createElement('input'), { type: 'file' });
  const canvas = document.createElement('canvas');
  [canvas.width, canvas.height] = [240, 240];
  output.append(canvas);
  const upscaler = createUpscaler({ baseUrl: './models/' });
  const preview = attachPreview(input, { canvas, upscaler });

  // Simulates a user picking a file.
  const picked = new DataTransfer();
  picked.items.add(new File([source], 'picture.png', { type: source.type }));
  input.files = picked.files;
  input.dispatchEvent(new Event('change'));

  const file = await preview.toBlob({ type: 'image/jpeg' });
  output.append(`${file.type}, ${file.size} bytes, and nothing was sent`);
  preview.detach();
  upscaler.destroy();
}
