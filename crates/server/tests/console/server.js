// A real server for a test: `unsaid serve` on a folder of its own, without an app, with the token of its first start; and the
// REST API as an app backend calls it.

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { call, freePort, kill, random, serve } from '../../../../sdk/chat/test/program.js';

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
    server.#program = await serve(join(server.#folder, 'unsaid.toml'), (line) => {
      server.token ??= line.match(/unsaid_[0-9a-f]{64}/)?.[0];
    });
    return server;
  }

  async end() {
    await kill(this.#program);
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

  #call(command, body) {
    const { sdkappid, secretKey } = this;
    return call({ address: this.server.address, sdkappid, secretKey }, command, body);
  }
}
