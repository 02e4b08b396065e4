// What a test of the console begins with: a server without an app, a receiver behind HTTPS that nobody knows, and windows.
//
// Every window fails its test if a page breaks its own Content-Security-Policy, throws, or asks any other server for anything.

import assert from 'node:assert/strict';
import { assertAccessible, closeBrowser, newContext, skip, until, watch } from '../../../../sdk/chat/test/browser.js';
import { Receiver } from './receiver.js';
import { Backend, Server } from './server.js';

export const SDKAPPID = 1400000001;
export const WITHDRAW = 'C2C.CallbackAfterMsgWithDraw';
const WAIT_MS = 10_000;

export class Stage {
  static async set(t) {
    const stage = new Stage();
    Object.assign(stage, { contexts: [], problems: [] });
    t.after(() => stage.clear());
    stage.receiver = await Receiver.start();
    stage.server = await Server.start();
    return stage;
  }

  /** Windows go before the server that they ask. */
  async clear() {
    await Promise.all(this.contexts.map((context) => context.close()));
    await this.server?.end();
    await this.receiver?.end();
    assert.deepEqual(this.problems, []);
  }

  /** A window of a browser of its own; `options` are those of Playwright's `newContext`. */
  async window(options) {
    const context = await newContext(options);
    this.contexts.push(context);
    const page = await context.newPage();
    // A refusal is an answer here, and the browser reports each.
    watch(page, this.problems, (said) => /status of 4\d\d/.test(said));
    return page;
  }

  async signedIn(options, token = this.server.token) {
    const page = await this.window(options);
    await page.goto(`${this.server.address}/console`);
    await page.getByLabel('Operator token').fill(token);
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.getByRole('heading', { name: 'Overview' }).waitFor();
    return page;
  }

  /** An app whose receiver works, made without the console; `callback` are further settings. */
  async backend(callback = {}) {
    const { url, ca: ca_pem } = this.receiver;
    const settings = { url, ca_pem, commands: [WITHDRAW], ...callback };
    const made = await this.server.operate('POST', '/apps', { sdkappid: SDKAPPID, name: 'Ferry', callback: settings });
    const backend = new Backend(this.server, SDKAPPID, made.secret_key);
    await backend.importAccounts('jared', 'Jonh');
    return backend;
  }

  /** A recall, from the first message to the receiver's answer; returns its MsgKey. */
  async recall(backend) {
    const key = await backend.send('jared', 'Jonh', 'lunch at noon?');
    await backend.recall('jared', 'Jonh', key);
    await this.receiver.arrival(WITHDRAW, ({ body }) => body.MsgKey === key);
    return key;
  }

  /** Waits until an attempt at what tells of that message is taken down: a moment after it, by a thread of its own. */
  async takenDown(key) {
    await this.attempts(`msg_key=${key}`);
  }

  /** The attempts that fit, once there is one. */
  async attempts(filter) {
    const read = () => this.server.operate('GET', `/apps/${SDKAPPID}/deliveries?${filter}`);
    return (await eventually(read, ({ attempts }) => attempts.length > 0)).attempts;
  }

  page(path) {
    return `${this.server.address}/console/apps/${SDKAPPID}${path}`;
  }
}

/** What `read` gives as soon as it `holds`. */
export async function eventually(read, holds) {
  const began_ms = Date.now();
  for (;;) {
    const value = await read();
    if (holds(value)) return value;
    assert.ok(Date.now() - began_ms < WAIT_MS, `not so within ${WAIT_MS} ms: ${JSON.stringify(value)}`);
  }
}

export { Backend, assertAccessible, closeBrowser, skip, until };
