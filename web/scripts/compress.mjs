// Puts a .gz beside each file of dist worth it: the server sends it as it is, and never compresses itself.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { constants, gzipSync } from 'node:zlib';

const dist = fileURLToPath(new URL('../dist/', import.meta.url));
const text = /\.(html|js|css|svg|json|ttf)$/;
const leastSaving = 0.9;

for (const name of readdirSync(dist, { recursive: true }).map(String)) {
  if (!text.test(name)) continue;
  const plain = readFileSync(join(dist, name));
  const packed = gzipSync(plain, { level: constants.Z_BEST_COMPRESSION });
  if (packed.length < plain.length * leastSaving) writeFileSync(join(dist, `${name}.gz`), packed);
}
