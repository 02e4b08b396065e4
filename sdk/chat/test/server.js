// A real server for a test: `unsaid serve` on a folder of its own, and its REST API as an app backend calls it.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { userSig } from '../../js/test/support/usersig.js';

export const SDKAPPID = 1400000001;
const SECRET_KEY = '0123456789abcdef'.repeat(4);
const ADMIN = 'administrator';

export class Server {
  #program = null;
  #folder;
  #port;

  /** Starts one that sends its callbacks to `endpoint`; `appSettings` are further lines of its `[[apps]]`. */
  static async start(endpoint, appSettings = '') {
    const server = new Server();
    server.#folder = await mkdtemp(join(tmpdir(), 'unsaid-chat-'));
    server.#port = await freePort();
    await writeFile(join(server.#folder, 'unsaid.toml'), configuration(server.#port, endpoint, appSettings));
    await server.resume();
    return server;
  }

  /** Starts it again, on the same port and store. Returns when it says that it is ready. */
  async resume() {
    const config = join(this.#folder, 'unsaid.toml');
    const program = spawn(process.env.UNSAID_BIN, ['serve', '--set', 'log_format=json', '--config', config], {
      stdio: ['ignore', 'inherit', 'pipe'],
    });
    this.#program = program;
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
  }

  /** SIGKILL, and wait until it is gone. */
  async kill() {
    const program = this.#program;
    this.#program = null;
    if (!program || program.exitCode !== null) return;
    program.kill('SIGKILL');
    await once(program, 'exit');
  }

  async end() {
    await this.kill();
    await rm(this.#folder, { recursive: true, force: true });
  }

  get address() {
    return `http://127.0.0.1:${this.#port}`;
  }

  get port() {
    return this.#port;
  }

  /** The link that logs in as `user`, over another address than the server's own if there is one. */
  link(user, address = this.address) {
    const said = new URLSearchParams({
      sdkappid: SDKAPPID,
      userid: user,
      usersig: userSig(SDKAPPID, SECRET_KEY, user),
    });
    return `${address}/chat/#${said}`;
  }

  userSig(user) {
    return userSig(SDKAPPID, SECRET_KEY, user);
  }

  async importAccount(UserID, Nick) {
    await this.#call('im_open_login_svc/account_import', { UserID, Nick });
  }

  /** Sends as `from`; returns the MsgKey. */
  async sendmsg(from, to, text) {
    const message = {
      From_Account: from,
      To_Account: to,
      MsgRandom: random(),
      MsgBody: textBody(text),
      SyncOtherMachine: 1,
    };
    return (await this.#call('openim/sendmsg', message)).MsgKey;
  }

  async importmsg(from, to, text, time_s) {
    await this.#call('openim/importmsg', {
      SyncFromOldSystem: 2,
      From_Account: from,
      To_Account: to,
      MsgSeq: random(),
      MsgRandom: random(),
      MsgTimeStamp: time_s,
      MsgBody: textBody(text),
    });
  }

  async recall(from, to, MsgKey) {
    await this.#call('openim/admin_msgwithdraw', { From_Account: from, To_Account: to, MsgKey });
  }

  async kick(UserID) {
    await this.#call('im_open_login_svc/kick', { UserID });
  }

  async #call(command, body) {
    const query = new URLSearchParams({
      sdkappid: SDKAPPID,
      identifier: ADMIN,
      usersig: this.userSig(ADMIN),
      random: random(),
      contenttype: 'json',
    });
    const answer = await fetch(`${this.address}/v4/${command}?${query}`, {
      method: 'POST',
      body: JSON.stringify(body),
    });
    const said = await answer.json();
    if (said.ErrorCode !== 0) throw new Error(`${command}: ${JSON.stringify(said)}`);
    return said;
  }
}

function configuration(port, endpoint, appSettings) {
  return `
listen = "127.0.0.1:${port}"
data_dir = "data"

[callback]
allow_http = true
allow_networks = ["127.0.0.0/8"]

[[apps]]
sdkappid = ${SDKAPPID}
secret_key = "${SECRET_KEY}"
admins = ["${ADMIN}"]
${appSettings}

[apps.callback]
url = "${endpoint}"
commands = ["C2C.CallbackAfterSendMsg", "C2C.CallbackAfterMsgWithDraw"]
`;
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

function textBody(Text) {
  return [{ MsgType: 'TIMTextElem', MsgContent: { Text } }];
}
