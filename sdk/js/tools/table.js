// The table of methods in README.md, made of src/methods.js. `--write` puts it there, `--check` says whether it is fresh.

import { readFile, writeFile } from 'node:fs/promises';
import { METHODS } from '../src/methods.js';

const README = new URL('../README.md', import.meta.url);
const BEGIN = '<!-- Made by `npm run table` from src/methods.js. -->';
const END = '<!-- The end of what is made. -->';

const count = (here) => METHODS.filter((method) => method.here === here).length;
const rows = METHODS.map(({ name, parameters, style, here, note }) => {
  const call = `\`${name}(${parameters})\`${style === 'sync' ? ' (sync)' : ''}`;
  return `| ${call} | ${here} | ${note} |`;
});
const table = [
  `Of ${METHODS.length} methods ${count('yes')} are here, ${count('partly')} partly, and ${count('no')} are not.`,
  '',
  '| method | here | |',
  '|---|---|---|',
  ...rows,
].join('\n');

const readme = await readFile(README, 'utf8');
const [before, after] = [readme.split(BEGIN)[0], readme.split(END)[1]];
if (after === undefined) throw new Error(`README.md has to hold the lines "${BEGIN}" and "${END}"`);
const fresh = `${before}${BEGIN}\n\n${table}\n\n${END}${after}`;

if (process.argv.includes('--write')) {
  await writeFile(README, fresh);
} else if (readme !== fresh) {
  console.error('The table in README.md is not that of src/methods.js: run `npm run table`.');
  process.exitCode = 1;
}
