import { CrispenError } from '../../errors.ts';

/** Creates the error for a file that is truncated or malformed, or has a wrong checksum. */
export function corrupt(message: string, cause?: unknown): CrispenError {
  return new CrispenError('MODEL_CORRUPT', `The PyTorch checkpoint is damaged: ${message}.`, {
    hint: 'Download, copy or save the file again.',
    cause,
  });
}

/** Creates the error for a file that might be valid but has unsupported content. */
export function unsupported(
  message: string,
  hint = 'Save the state dictionary alone, as torch.save(model.state_dict(), path) does, or as safetensors.',
): CrispenError {
  return new CrispenError(
    'MODEL_UNSUPPORTED',
    `The PyTorch checkpoint cannot be used: ${message}.`,
    {
      hint,
    },
  );
}

/**
 * Prepares text from a file for use in a message: replaces characters other than printable ASCII,
 * and truncates the text after 80 characters.
 */
export function printable(text: string): string {
  const shown = text.slice(0, 80).replace(/[^\x20-\x7e]/g, '?');
  return text.length > 80 ? `${shown}...` : shown;
}
