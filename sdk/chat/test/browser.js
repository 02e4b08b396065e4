// The browser that tests share, and what holds for every page that is opened in it.

import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { readFile } from 'node:fs/promises';

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

/** A browser with its own storage; `options` are those of Playwright's `newContext`. */
export async function newContext(options = {}) {
  browser ??= await launch();
  const context = await browser.newContext({ locale: 'en-GB', viewport: { width: 1100, height: 720 }, ...options });
  context.setDefaultTimeout(WAIT_MS);
  return context;
}

/** Notes among `problems` what a page must not do: throw, complain, break its policy, or ask any other server. */
export function watch(page, problems, isExpected = () => false) {
  page.on('pageerror', (error) => problems.push(`thrown: ${error.stack}`));
  page.on('console', (message) => {
    const said = message.text();
    if (['error', 'warning'].includes(message.type()) && !isExpected(said)) problems.push(`console: ${said}`);
  });
  page.on('request', (request) => {
    const url = new URL(request.url());
    if (url.protocol !== 'data:' && url.hostname !== '127.0.0.1') problems.push(`asked for ${request.url()}`);
  });
}

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
