// Puts the packages that package-lock.json names into node_modules/ here; does nothing when they are there already.
// A registry that cannot be reached is a failure, not a test left out. Needs nothing but Node and npm.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const folder = dirname(fileURLToPath(import.meta.url));
const stamp = join(folder, 'node_modules', '.installed');
const wanted = createHash('sha256').update(readFileSync(join(folder, 'package-lock.json'))).digest('hex');

if (existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) {
  console.log('the packages are those of package-lock.json');
  process.exit(0);
}

const done = spawnSync('npm', ['ci', '--omit-lockfile-registry-resolved', '--no-audit', '--no-fund', '--ignore-scripts'],
  { cwd: folder, encoding: 'utf8', timeout: 240_000 });
process.stdout.write(done.stdout ?? '');
process.stderr.write(done.stderr ?? '');
if (done.status !== 0) {
  console.error(`npm ci failed (${done.error?.message ?? `status ${done.status}`}): the tests of the SDKs and of OpenAPI need the `
    + "packages in tests/sdk/package-lock.json. 'npm ping' tells whether the registry is reached; 'npm config get registry' which.");
  process.exit(1);
}
writeFileSync(stamp, wanted);
