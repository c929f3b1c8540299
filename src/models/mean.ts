/** Mean colour of the DIV2K training set on 0..1, as the EDSR and SPAN code has it. */
export const DIV2K_MEAN: readonly number[] = [0.4488, 0.4371, 0.404];

export const constant = (length: number, value: number): number[] =>
  Array.from({ length }, () => value);
