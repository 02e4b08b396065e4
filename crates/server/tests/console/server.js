// A real server for a test: `unsaid serve` on a folder of its own, without an app, with the token of its first start; and the
// REST API as an app backend calls it.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { userSig } from '../../../../sdk/js/test/support/usersig.js';

const ADMIN = 'administrator';

/** Loopback is allowed as the operator of a server would allow it: in its configuration. */
const configuration = (port) => `
listen = "127.0.0.1:${port}"
data_dir = "data"

[callback]
allow_networks = ["127.0.0.0/8", "::1/128"]
`;

export class Server {
  #program;
  #folder;
  #port;
  /** The operator's token, as it was printed. */
  token;

  static async start() {
    const server = new Server();
    server.#folder = await mkdtemp(join(tmpdir(), 'unsaid-console-'));
    server.#port = await freePort();
    await writeFile(join(server.#folder, 'unsaid.toml'), configuration(server.#port));
    const how = ['serve', '--set', 'log_format=json', '--config', join(server.#folder, 'unsaid.toml')];
    const program = spawn(process.env.UNSAID_BIN, how, { stdio: ['ignore', 'pipe', 'pipe'] });
    server.#program = program;
    const said = [];
    createInterface({ input: program.stdout }).on('line', (line) => {
      server.token ??= line.match(/unsaid_[0-9a-f]{64}/)?.[0];
    });
    const lines = createInterface({ input: program.stderr });
    await new Promise((resolve, reject) => {
      lines.on('line', (line) => {
        said.push(line);
        if (line.includes('Unsaid is ready')) resolve();
      });
      program.on('exit', (code) => reject(new Error(`the server ended (${code}) too early:\n${said.join('\n')}`)));
      program.on('error', reject);
    });
    return server;
  }

  async end() {
    if (this.#program.exitCode === null) {
      this.#program.kill('SIGKILL');
      await once(this.#program, 'exit');
    }
    await rm(this.#folder, { recursive: true, force: true });
  }

  get address() {
    return `http://127.0.0.1:${this.#port}`;
  }

  /** A call of the operator API. */
  async operate(method, path, body) {
    const headers = { authorization: `Bearer ${this.token}` };
    const response = await fetch(`${this.address}/api/v1${path}`, { method, headers, body: JSON.stringify(body) });
    const said = await response.json();
    if (!response.ok) throw new Error(`${method} ${path}: ${JSON.stringify(said)}`);
    return said;
  }
}

/** An app backend: it knows its app's number and key, and calls the REST API as its admin. */
export class Backend {
  constructor(server, sdkappid, secretKey) {
    Object.assign(this, { server, sdkappid, secretKey });
  }

  async importAccounts(...users) {
    for (const UserID of users) await this.#call('im_open_login_svc/account_import', { UserID });
  }

  /** Sends a message and returns its MsgKey. */
  async send(From_Account, To_Account, Text) {
    const MsgBody = [{ MsgType: 'TIMTextElem', MsgContent: { Text } }];
    const message = { From_Account, To_Account, MsgRandom: random(), MsgBody, SyncOtherMachine: 1 };
    return (await this.#call('openim/sendmsg', message)).MsgKey;
  }

  async recall(From_Account, To_Account, MsgKey) {
    await this.#call('openim/admin_msgwithdraw', { From_Account, To_Account, MsgKey });
  }

  async #call(command, body) {
    const usersig = userSig(this.sdkappid, this.secretKey, ADMIN);
    const query = { sdkappid: this.sdkappid, identifier: ADMIN, usersig, random: random(), contenttype: 'json' };
    const url = `${this.server.address}/v4/${command}?${new URLSearchParams(query)}`;
    const said = await (await fetch(url, { method: 'POST', body: JSON.stringify(body) })).json();
    if (said.ErrorCode !== 0) throw new Error(`${command}: ${JSON.stringify(said)}`);
    return said;
  }
}

/** A port that was free a moment ago. */
async function freePort() {
  const listener = createServer().listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const { port } = listener.address();
  await new Promise((closed) => listener.close(closed));
  return port;
}

function random() {
  return Math.floor(Math.random() * 2 ** 31);
}
