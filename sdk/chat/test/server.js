// A real server for a test: `unsaid serve` on a folder of its own, and its REST API as an app backend calls it.

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { userSig } from '../../js/test/support/usersig.js';
import { ADMIN, call, freePort, kill, random, serve } from './program.js';

export const SDKAPPID = 1400000001;
const SECRET_KEY = '0123456789abcdef'.repeat(4);

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
    this.#program = await serve(join(this.#folder, 'unsaid.toml'));
  }

  /** SIGKILL, and wait until it is gone. */
  async kill() {
    const program = this.#program;
    this.#program = null;
    await kill(program);
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

  #call(command, body) {
    return call({ address: this.address, sdkappid: SDKAPPID, secretKey: SECRET_KEY }, command, body);
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

function textBody(Text) {
  return [{ MsgType: 'TIMTextElem', MsgContent: { Text } }];
}
