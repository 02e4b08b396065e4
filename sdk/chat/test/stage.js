// What a browser test begins with: a server, its receiver, and windows with people in them.
//
// Every window fails its test if the page breaks its own Content-Security-Policy, throws, or asks any other server for
// anything.

import assert from 'node:assert/strict';
import { closeBrowser, assertAccessible, newContext, skip, until, watch } from './browser.js';
import { Receiver } from './receiver.js';
import { SDKAPPID, Server } from './server.js';

/** `await Stage.set(t)`: a fresh server with the accounts jared and Jonh. All of it ends with the test. */
export class Stage {
  static async set(t, appSettings) {
    const stage = new Stage();
    stage.receiver = await Receiver.start();
    t.after(() => stage.receiver.end());
    stage.server = await Server.start(stage.receiver.endpoint, appSettings);
    t.after(() => stage.server.end());
    stage.problems = [];
    t.after(() => assert.deepEqual(stage.problems, []));
    stage.contexts = [];
    t.after(() => Promise.all(stage.contexts.map((context) => context.close())));
    for (const user of ['jared', 'Jonh']) await stage.server.importAccount(user);
    return stage;
  }

  /** A browser with its own storage; `options` are those of Playwright's `newContext`. */
  async context(options = {}) {
    const context = await newContext(options);
    this.contexts.push(context);
    return context;
  }

  /** A new window of `context`, at the login form. */
  async window(context) {
    const page = await context.newPage();
    // While the server is gone the browser reports each attempt to reach it.
    watch(page, this.problems, (said) => said.includes('WebSocket connection to') || said.includes('ERR_CONNECTION'));
    return page;
  }

  /** A window of a browser of its own in which `user` has logged in by link. */
  async loggedIn(user, options, address) {
    const page = await this.window(await this.context(options));
    await this.enter(page, user, address);
    return page;
  }

  async enter(page, user, address) {
    await page.goto(this.server.link(user, address));
    await page.locator('.app').waitFor();
  }
}

/** Opens the conversation with `peer` by the field for it. */
export async function open(page, peer) {
  await page.locator('.new input').fill(peer);
  await page.locator('.new input').press('Enter');
  await composer(page).waitFor();
}

export async function say(page, words) {
  await composer(page).fill(words);
  await composer(page).press('Enter');
}

export const composer = (page) => page.locator('.composer textarea');
export const bubble = (page, words) => page.locator('.bubble', { hasText: words });
export const ghost = (page, words) => page.locator('.ghost', { hasText: words });
/** The message of one's own that says `words`, with its button for recalling. */
export const own = (page, words) => page.locator('.message.own', { hasText: words });

export { SDKAPPID, assertAccessible, closeBrowser, skip, until };
