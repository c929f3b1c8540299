/**
 * Strips comments and unnecessary white space from shaders during the build.
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

/** Matches text that a directive replaces with a number or a word (src/kernels/wgsl.ts). */
const SUBSTITUTION = /(\{\s*\w+(?:\s*[+-]\s*\w+)*\s*\})/;

/**
 * Returns WGSL without line comments, indentation, and most other white space and line ends. Each
 * directive stays on its own line. (WGSL has no strings that could contain a `//`, and the shaders
 * use no block comments.)
 * @param {string} source
 */
export function compactShader(source) {
  if (source.includes('/*')) throw new Error('Shaders are commented by // only.');
  const lines = source.split('\n').map((line) => {
    const bare = line.replace(/\/\/.*/, '').trim();
    if (bare.startsWith('#')) return bare;
    return (
      bare
        .split(SUBSTITUTION)
        // Spaces around substitutions stay, because a substituted value can become part of a word.
        // Spaces between two signs also stay, because `a - -b` must not become a decrement.
        .map((part) =>
          SUBSTITUTION.test(part)
            ? part
            : part
                .replace(/\s*([,;:{}()=<>&|*])\s*/g, '$1')
                .replace(/(?<=[\w)\]]|^) (?:([-+/]) (?=[\w(])|(?=[-+/]=))/g, '$1')
                .replace(/(?<=[\w)\]]) ([+/]) $/, '$1')
                .replace(/ ?(->) ?/g, '$1'),
        )
        .join('')
    );
  });
  const kept = lines.filter(Boolean);
  // Statements do not need line breaks between them.
  const ends = kept.map((line, i) => {
    const next = kept[i + 1] ?? '#';
    return line.startsWith('#') || next.startsWith('#') || !/[;{},]$/.test(line) ? '\n' : '';
  });
  return kept.map((line, i) => `${line}${ends[i]}`).join('');
}
