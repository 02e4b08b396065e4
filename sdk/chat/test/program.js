// `unsaid serve` as a program of a test, and the REST API as an app backend calls it.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { createInterface } from 'node:readline';
import { userSig } from '../../js/test/support/usersig.js';

export const ADMIN = 'administrator';

/** Starts it, and returns when it says that it is ready. `heard` is called with each line of its standard output. */
export async function serve(config, heard = () => {}) {
  const how = ['serve', '--set', 'log_format=json', '--config', config];
  const program = spawn(process.env.UNSAID_BIN, how, { stdio: ['ignore', 'pipe', 'pipe'] });
  createInterface({ input: program.stdout }).on('line', heard);
  const said = [];
  const lines = createInterface({ input: program.stderr });
  await new Promise((resolve, reject) => {
    lines.on('line', (line) => {
      said.push(line);
      if (line.includes('Unsaid is ready')) resolve();
    });
    program.on('exit', (code) =>
      reject(new Error(`the server ended (${code}) before it was ready:\n${said.join('\n')}`)),
    );
    program.on('error', reject);
  });
  return program;
}

/** SIGKILL, and wait until it is gone. */
export async function kill(program) {
  if (!program || program.exitCode !== null) return;
  program.kill('SIGKILL');
  await once(program, 'exit');
}

/** A command of the REST API, called by the admin of an app. */
export async function call({ address, sdkappid, secretKey }, command, body) {
  const usersig = userSig(sdkappid, secretKey, ADMIN);
  const query = { sdkappid, identifier: ADMIN, usersig, random: random(), contenttype: 'json' };
  const url = `${address}/v4/${command}?${new URLSearchParams(query)}`;
  const said = await (await fetch(url, { method: 'POST', body: JSON.stringify(body) })).json();
  if (said.ErrorCode !== 0) throw new Error(`${command}: ${JSON.stringify(said)}`);
  return said;
}

/** A port that was free a moment ago. */
export async function freePort() {
  const listener = createServer().listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const { port } = listener.address();
  await new Promise((closed) => listener.close(closed));
  return port;
}

export function random() {
  return Math.floor(Math.random() * 2 ** 31);
}
