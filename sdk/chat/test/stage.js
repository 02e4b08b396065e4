// What a browser test begins with: a server, its receiver, and windows with people in them.
//
// Every window fails its test if the page breaks its own Content-Security-Policy, throws, or asks any other server for
// anything.

import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { readFile } from 'node:fs/promises';
import { Receiver } from './receiver.js';
import { SDKAPPID, Server } from './server.js';

const CHROMIUM = process.env.UNSAID_CHROMIUM ?? '/usr/bin/chromium';
const WAIT_MS = 10_000;
const require = createRequire(import.meta.url);

/** Why browser tests cannot run here, or false. */
export const skip = whyNot();

let browser = null;

/** Call it in `after`: closes the browser that the file's tests share. */
export async function closeBrowser() {
  await browser?.close();
}

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
    browser ??= await launch();
    const context = await browser.newContext({ locale: 'en-GB', viewport: { width: 1100, height: 720 }, ...options });
    context.setDefaultTimeout(WAIT_MS);
    this.contexts.push(context);
    return context;
  }

  /** A new window of `context`, at the login form. */
  async window(context) {
    const page = await context.newPage();
    page.on('pageerror', (error) => this.problems.push(`thrown: ${error.stack}`));
    page.on('console', (message) => {
      const said = message.text();
      // While the server is gone the browser reports each attempt to reach it.
      const unreachable = said.includes('WebSocket connection to') || said.includes('ERR_CONNECTION');
      if (['error', 'warning'].includes(message.type()) && !unreachable) this.problems.push(`console: ${said}`);
    });
    page.on('request', (request) => {
      const url = new URL(request.url());
      if (url.protocol !== 'data:' && url.hostname !== '127.0.0.1') this.problems.push(`asked for ${request.url()}`);
    });
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

/** Waits until `read` gives what `holds` wants: for what no locator can wait for. */
export async function until(page, read, holds = (value) => value) {
  const began_ms = Date.now();
  for (;;) {
    const value = await read();
    if (holds(value)) return value;
    assert.ok(Date.now() - began_ms < WAIT_MS, `not so within ${WAIT_MS} ms: ${read} gives ${JSON.stringify(value)}`);
    await page.evaluate(() => new Promise((next) => requestAnimationFrame(next)));
  }
}

/** axe-core finds nothing to complain about in what `page` shows. */
export async function assertAccessible(page, what) {
  await page.evaluate(await readFile(require.resolve('axe-core/axe.min.js'), 'utf8'));
  const { violations } = await page.evaluate(() => window.axe.run());
  const found = violations.flatMap(({ id, nodes }) =>
    nodes.map((node) => `${id}: ${node.html}: ${node.failureSummary}`),
  );
  assert.deepEqual(found, [], what);
}

async function launch() {
  const { chromium } = await import('playwright-core');
  const asRoot = process.getuid?.() === 0 ? ['--no-sandbox'] : [];
  const quiet = [
    '--disable-quic',
    '--no-first-run',
    '--disable-background-networking',
    '--disable-component-update',
    '--disable-sync',
  ];
  return chromium.launch({
    executablePath: CHROMIUM,
    args: [...asRoot, ...quiet, '--disable-gpu', '--font-render-hinting=none'],
  });
}

function whyNot() {
  if (!process.env.UNSAID_BIN) return "set UNSAID_BIN to the server's program, such as target/debug/unsaid";
  if (!existsSync(process.env.UNSAID_BIN))
    return `UNSAID_BIN is ${process.env.UNSAID_BIN}, which does not exist: build it with cargo build`;
  if (!existsSync(CHROMIUM))
    return `there is no Chromium at ${CHROMIUM}: install Debian's package chromium, or set UNSAID_CHROMIUM`;
  try {
    require.resolve('playwright-core');
    require.resolve('axe-core');
  } catch {
    return 'playwright-core or axe-core is missing: run npm ci in sdk/chat';
  }
  return false;
}

export { SDKAPPID };
