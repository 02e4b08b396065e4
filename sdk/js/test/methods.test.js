// The table of methods, the class, the types and the README say the same.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';
import test from 'node:test';
import { promisify } from 'node:util';
import { Chat, EVENT, TYPES } from '../src/index.js';
import { METHODS } from '../src/methods.js';
import { loggedIn } from './support/double.js';

const read = (path) => readFile(new URL(`../${path}`, import.meta.url), 'utf8');
/** Ours, not the original's. */
const EXTRA = ['createElementMessage', 'once'];
const names = METHODS.map(({ name }) => name);

test('all 148 methods of the original are in the table, once', () => {
  assert.deepEqual([names.length, new Set(names).size], [148, 148]);
  assert.ok(
    METHODS.every(({ here, note }) => ['yes', 'partly', 'no'].includes(here) && (here === 'yes' || note !== '')),
  );
});

test('the class has the methods of the table, and no others but ours', () => {
  const own = Object.getOwnPropertyNames(Chat.prototype).filter((name) => name !== 'constructor');
  assert.deepEqual(own.sort(), [...names, ...EXTRA].sort());
});

test('the types have the same methods', async () => {
  const declared = async (path) =>
    [...new Set([...(await read(path)).matchAll(/^ {2}(\w+)(?:<.*?>)?\(/gm)].map(([, name]) => name))].sort();
  const sorted = (here) =>
    METHODS.filter((method) => here.includes(method.here))
      .map(({ name }) => name)
      .sort();
  assert.deepEqual(await declared('types/chat.d.ts'), [...sorted(['yes', 'partly']), ...EXTRA, 'close', 'send'].sort());
  assert.deepEqual(await declared('types/not_here.d.ts'), sorted(['no']));
});

test('EVENT and TYPES have the same members and values in the types', async () => {
  const source = await read('types/enums.d.ts');
  const [events, types] = source.split('export declare const TYPES');
  const members = (part) =>
    Object.fromEntries([...part.matchAll(/readonly (\w+): '?([^';]+)'?;/g)].map(([, name, value]) => [name, value]));
  const texts = (object) => Object.fromEntries(Object.entries(object).map(([name, value]) => [name, String(value)]));
  assert.deepEqual(members(events), texts(EVENT));
  assert.deepEqual(members(types), texts(TYPES));
});

test('what is not here fails with 60009 and says why', async () => {
  const { chat } = await loggedIn();
  for (const { name, style, note } of METHODS.filter(({ here }) => here === 'no')) {
    const expected = { name: 'ChatError', code: 60009, message: `${name} is not part of Unsaid: ${note}` };
    if (style === 'async') await assert.rejects(chat[name]({}), expected);
    else assert.throws(() => chat[name]({}), expected);
  }
});

test('methods that are here return a Promise where the original does', async () => {
  const { chat } = await loggedIn();
  for (const { name, style, here } of METHODS) {
    if (here === 'no' || name === 'destroy' || name === 'logout') continue;
    let returned;
    try {
      returned = chat[name]();
    } catch (error) {
      assert.deepEqual([style, error.code], ['sync', 20001], name);
    }
    returned?.catch?.(() => {});
    if (returned !== undefined) assert.equal(returned instanceof Promise, style === 'async', name);
  }
});

test('the table in the README is fresh', async () => {
  await promisify(execFile)(process.execPath, ['tools/table.js', '--check'], { cwd: new URL('..', import.meta.url) });
});

test('no host of a registry stands in the lock file', async () => {
  const lock = await read('package-lock.json');
  assert.doesNotMatch(lock, /"resolved"/);
  assert.doesNotMatch(lock, /https?:\/\/[^"]*registry/);
});

test('the sources need nothing but the platform, and each file fits on a few screens', async () => {
  const paths = (await readdir(new URL('../src', import.meta.url), { recursive: true })).filter((path) =>
    path.endsWith('.js'),
  );
  assert.ok(paths.length > 20);
  for (const path of paths) {
    const source = await read(`src/${path}`);
    for (const [, from] of source.matchAll(/from '([^']+)'/g))
      assert.match(from, /^\.\.?\//, `${path} imports ${from}`);
    assert.ok(source.split('\n').length < 400, path);
  }
});
