import { relative, resolve } from 'node:path';
import ts from 'typescript';

const ROOT = resolve(import.meta.dirname, '../..');

/**
 * Returns every place in `src` that calls a WebGPU method, as `FILE:LINE METHOD`. The type checker
 * finds the calls, so calling `destroy` on any other object does not count.
 */
export function gpuCallSites(): string[] {
  const files = ts.sys
    .readDirectory(`${ROOT}/src`, ['.ts'])
    .filter((file) => !/\.(test|d)\.ts$/.test(file));
  const { config } = ts.readConfigFile(`${ROOT}/tsconfig.node.json`, ts.sys.readFile);
  const { options } = ts.parseJsonConfigFileContent({ ...config, include: [] }, ts.sys, ROOT);
  const program = ts.createProgram(
    [...files, ...ts.sys.readDirectory(`${ROOT}/src`, ['.d.ts'])],
    options,
  );
  const checker = program.getTypeChecker();
  const sites = new Set<string>();
  for (const source of program.getSourceFiles()) {
    const name = relative(ROOT, source.fileName);
    if (!name.startsWith('src/') || source.isDeclarationFile) continue;
    const visit = (node: ts.Node): void => {
      if (ts.isCallExpression(node) && ts.isPropertyAccessExpression(node.expression)) {
        const declaration = checker.getResolvedSignature(node)?.declaration;
        const owner = declaration?.parent;
        if (
          owner &&
          ts.isInterfaceDeclaration(owner) &&
          owner.name.text.startsWith('GPU') &&
          owner.getSourceFile().fileName.includes('@webgpu/types')
        ) {
          const method = node.expression.name;
          const { line } = source.getLineAndCharacterOfPosition(method.getStart(source));
          sites.add(`${name}:${line + 1} ${method.text}`);
        }
      }
      ts.forEachChild(node, visit);
    };
    visit(source);
  }
  return [...sites].sort();
}
