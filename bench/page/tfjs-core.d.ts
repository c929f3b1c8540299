/**
 * The part of @tensorflow/tfjs-core that the bench uses. tsconfig.json replaces the package's own
 * types with this file, because rivals are only installed on request.
 */
export interface Tensor {
  readonly shape: number[];
  data(): Promise<Float32Array>;
  dispose(): void;
}
export type Shape = readonly number[];
export function setBackend(name: string): Promise<boolean>;
export function ready(): Promise<void>;
export function removeBackend(name: string): void;
export function registerBackend(name: string, make: () => unknown, priority?: number): boolean;
export function findBackendFactory(name: string): () => unknown;
export function getBackend(): string;
export function tidy<T>(work: () => T): T;
export function keep<T extends Tensor>(tensor: T): T;
export function tensor(values: Float32Array, shape: Shape): Tensor;
export function transpose(x: Tensor, order: Shape): Tensor;
export function reshape(x: Tensor, shape: Shape): Tensor;
export function slice(x: Tensor, begin: Shape, size: Shape): Tensor;
export function concat(parts: Tensor[], axis: number): Tensor;
export function add(a: Tensor, b: Tensor | number): Tensor;
export function sub(a: Tensor, b: Tensor | number): Tensor;
export function mul(a: Tensor, b: Tensor | number): Tensor;
export function relu(x: Tensor): Tensor;
export function sigmoid(x: Tensor): Tensor;
export function erf(x: Tensor): Tensor;
export function tanh(x: Tensor): Tensor;
export function softplus(x: Tensor): Tensor;
export function leakyRelu(x: Tensor, slope: number): Tensor;
export function prelu(x: Tensor, slopes: Tensor): Tensor;
export function mean(x: Tensor, axes: Shape): Tensor;
export function softmax(x: Tensor): Tensor;
export function matMul(a: Tensor, b: Tensor, transposeA: boolean, transposeB: boolean): Tensor;
export const image: {
  resizeNearestNeighbor(x: Tensor, size: Shape): Tensor;
  resizeBilinear(x: Tensor, size: Shape, align: boolean, halfPixelCenters: boolean): Tensor;
};
export const fused: {
  conv2d(options: {
    x: Tensor;
    filter: Tensor;
    strides: number;
    pad: 'same';
    bias?: Tensor;
    activation?: 'leakyrelu' | 'relu' | 'sigmoid';
    leakyreluAlpha?: number;
  }): Tensor;
};
