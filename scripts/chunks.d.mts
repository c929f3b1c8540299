interface ChunkGroup {
  readonly name: string;
  readonly test?: RegExp;
  readonly includeDependenciesRecursively?: boolean;
}

export const WORKER_CHUNKS: ChunkGroup[];
