import { createUpscaler } from 'crispen';
import { useEffect, useState } from 'react';

// Strict mode runs effects twice: each run has its own job, and only the last one's result is shown.
export function Upscaled({ file, scale = 2 }) {
  const [url, setUrl] = useState();
  useEffect(() => {
    const upscaler = createUpscaler();
    let made;
    upscaler
      .upscale(file, { scale, output: 'image/png' })
      .then(({ image }) => {
        made = URL.createObjectURL(image);
        setUrl(made);
      })
      .catch((error) => error.code === 'ABORTED' || console.error(error));
    return () => {
      upscaler.destroy();
      URL.revokeObjectURL(made);
    };
  }, [file, scale]);
  return url && <img src={url} alt="" />;
}
