// CommonJS: the module is loaded with import().
// node common.cjs photo.png large.png
const [photo, large] = process.argv.slice(2);

async function main() {
  const { createUpscaler, CrispenError } = await import('crispen/node');
  const upscaler = await createUpscaler({ threads: 1 });
  try {
    await upscaler.upscale('missing.png');
  } catch (error) {
    if (!(error instanceof CrispenError)) throw error;
    console.log(error.code);
  }
  const { info } = await upscaler.upscale(photo, { scale: 2, to: large });
  console.log(`${info.width} x ${info.height}`);
  await upscaler.close();
}

main();
