/**
 * Shaders are written for readers, with long comments; what is shipped goes without them.
 * @returns {import('vite').Plugin}
 */
export function bareShaders() {
  return {
    name: 'bare-shaders',
    enforce: 'pre',
    apply: 'build',
    async load(id) {
      if (!id.endsWith('.wgsl?raw')) return null;
      const source = await this.fs.readFile(id.slice(0, -'?raw'.length), { encoding: 'utf8' });
      return `export default ${JSON.stringify(compactShader(source))};`;
    },
  };
}

/**
 * WGSL without line comments, indentation, empty lines and most other white space. (It has no strings that could contain a
 * `//`, and the shaders use no block comments.)
 * @param {string} source
 */
export function compactShader(source) {
  if (source.includes('/*')) throw new Error('Shaders are commented by // only.');
  const lines = source.split('\n').map((line) =>
    line
      .replace(/\/\/.*/, '')
      // Not around + and -: `a - -b` must not become a decrement.
      .replace(/\s*([,;:{}()=<>&|*])\s*/g, '$1')
      .trim(),
  );
  return `${lines.filter(Boolean).join('\n')}\n`;
}
