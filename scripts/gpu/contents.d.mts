export function packedFiles(root: string): string[];
export function packedPackages(root: string): string[];
