// Builds a plugin written in JavaScript: node build.mjs PLUGIN OUT.wasm. Needs the packages of package.json.

import { componentize } from '@bytecodealliance/componentize-js';
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const [plugin, out, root = new URL('../..', import.meta.url).pathname] = process.argv.slice(2);
if (out === undefined) {
  console.error('usage: node build.mjs PLUGIN OUT.wasm [ROOT]');
  process.exit(2);
}

// componentize takes one folder of WIT, whose own package is the plugin's and whose `deps` has the contract.
const wit = await mkdtemp(join(tmpdir(), 'hookwire-wit-'));
try {
  const source = join(root, 'plugins/in-javascript', plugin);
  await cp(join(root, 'wit'), join(wit, 'deps/hookwire-plugin'), { recursive: true });
  await cp(join(source, 'plugin.wit'), join(wit, 'plugin.wit'));
  const { component } = await componentize(await readFile(join(source, `${plugin}.js`), 'utf8'), {
    sourceName: `${plugin}.js`,
    witPath: wit,
    worldName: plugin,
    // Without these the component imports nothing of WASI: what it may do is what the contract offers.
    disableFeatures: ['stdio', 'random', 'clocks', 'http', 'fetch-event'],
  });
  await writeFile(out, component);
} finally {
  await rm(wit, { recursive: true });
}
