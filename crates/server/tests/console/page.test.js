// The pages themselves: readable for everybody, on a phone and in the dark; by keyboard; live without getting in the way; and
// for nobody who may not.

import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import { SDKAPPID, Stage, assertAccessible, closeBrowser, skip, until } from './stage.js';

const PHONE = { viewport: { width: 360, height: 740 }, isMobile: true, hasTouch: true };

describe('the pages of the console', { skip }, () => {
  after(closeBrowser);

  for (const [name, options] of [
    ['on a desk', {}],
    ['on a desk in the dark', { colorScheme: 'dark' }],
    ['on a phone', PHONE],
    ['on a phone in the dark', { ...PHONE, colorScheme: 'dark' }],
  ])
    test(`every page is accessible and no wider than the screen, ${name}`, async (t) => {
      const stage = await Stage.set(t);
      await filled(stage);
      const page = await stage.window(options);
      await page.goto(`${stage.server.address}/console/sign-in`);
      await assertFits(page, `sign-in, ${name}`);
      await page.getByLabel('Operator token').fill('wrong');
      await page.getByRole('button', { name: 'Sign in' }).click();
      await page.getByText('This token is not valid').waitFor();
      await assertFits(page, `sign-in refused, ${name}`);
      await page.getByLabel('Operator token').fill(stage.server.token);
      await page.getByRole('button', { name: 'Sign in' }).click();
      await page.getByRole('heading', { name: 'Overview' }).waitFor();
      for (const path of await everyPage(stage)) {
        await page.goto(`${stage.server.address}/console${path}`);
        await assertFits(page, `${path}, ${name}`);
      }
      await page.goto(stage.page(''));
      await page.getByText('Signatures, client certificate, delivery').click();
      await page.getByRole('button', { name: 'Send a test' }).click();
      await page.locator('.tested').waitFor();
      await assertFits(page, `a test, ${name}`);
      await page.getByLabel('URL').fill('ftp://app.example/');
      await page.getByRole('button', { name: 'Save', exact: true }).first().click();
      await page.getByText('must begin with https://').waitFor();
      await assertFits(page, `a refusal, ${name}`);
    });

  test('dark mode is dark', async (t) => {
    const stage = await Stage.set(t);
    const page = await stage.signedIn({ colorScheme: 'dark' });
    const paper = await page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    const [red, green, blue] = paper.match(/\d+/g).map(Number);
    assert.ok(red + green + blue < 120, paper);
  });

  test('signing in and making an app are done by keyboard alone', async (t) => {
    const stage = await Stage.set(t);
    const page = await stage.window();
    await page.goto(`${stage.server.address}/console`);
    await until(
      page,
      () => focused(page),
      (name) => name === 'Operator token',
    );
    await page.keyboard.type(stage.server.token);
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'Overview' }).waitFor();
    await page.keyboard.press('Tab');
    assert.equal(await focused(page), 'Skip to the content');
    await page.keyboard.press('Enter');
    await page.keyboard.press('Tab');
    await tabTo(page, 'Make the first one');
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'Make an app' }).waitFor();
    await tabTo(page, 'Name');
    await page.keyboard.type('Ferry');
    await page.keyboard.press('Tab');
    assert.equal(await focused(page), 'SDKAppID');
    await page.keyboard.press('Enter');
    await page.getByText(`The app ${SDKAPPID} was made.`).waitFor();
    await tabTo(page, 'URL');
    await page.keyboard.type(stage.receiver.url);
    await page.keyboard.press('Enter');
    await page.getByText('Saved.').waitFor();
    const seen = await page.evaluate(() => {
      const link = document.querySelector('.tabs a');
      link.focus();
      return getComputedStyle(link).outlineStyle;
    });
    assert.notEqual(seen, 'none', 'what has the focus is seen');
  });

  test('deliveries come by themselves, are announced, and never take the focus away', async (t) => {
    const stage = await Stage.set(t);
    const backend = await stage.backend();
    const page = await stage.signedIn();
    await page.goto(stage.page('/deliveries'));
    await page.getByText('No delivery yet.').waitFor();
    await page.getByLabel('MsgKey').focus();
    const first = await stage.recall(backend);
    await page.getByRole('cell', { name: first }).waitFor();
    await page.locator('[role=status]', { hasText: 'New deliveries have come.' }).waitFor({ state: 'attached' });
    assert.equal(await focused(page), 'MsgKey');

    const link = page.getByRole('row').filter({ hasText: first }).getByRole('link');
    await link.focus();
    await page.getByText('waiting while you read here').waitFor();
    const second = await stage.recall(backend);
    assert.ok(await link.evaluate((element) => element === document.activeElement));
    assert.equal(await page.getByRole('cell', { name: second }).count(), 0);
    await page.getByLabel('Account').focus();
    await page.getByRole('cell', { name: second }).waitFor();
  });

  test('deliveries are found by MsgKey, account and outcome', async (t) => {
    const stage = await Stage.set(t);
    const backend = await stage.backend();
    const [first, second] = [await stage.recall(backend), await stage.recall(backend)];
    const page = await stage.signedIn();
    await page.goto(stage.page('/deliveries'));
    const rows = page.locator('tbody tr');
    for (const key of [first, second]) await stage.takenDown(key);
    const search = async (label, text) => {
      await page.goto(stage.page('/deliveries'));
      await page.getByLabel(label).fill(text);
      await page.getByRole('button', { name: 'Search' }).click();
      return rows.allTextContents();
    };
    const found = await search('MsgKey', first);
    assert.ok(found.length === 1 && found[0].includes(first) && !found[0].includes(second), found.join());
    assert.equal((await search('Account', 'Jonh')).length, 2);
    assert.equal((await search('Account', 'jared')).length, 0);
    await page.getByText('No delivery that is kept fits.').waitFor();
    await page.getByRole('link', { name: 'Show all' }).click();
    await page.getByLabel('Outcome').selectOption('unavailable');
    await page.getByRole('button', { name: 'Search' }).click();
    await page.getByText('No delivery that is kept fits.').waitFor();
  });

  test('what waits is seen lane by lane, with what came of its attempts', async (t) => {
    const stage = await Stage.set(t);
    const backend = await stage.backend();
    stage.receiver.answers = { status: 503, ErrorCode: 0 };
    const key = await stage.recall(backend);
    await stage.takenDown(key);
    const page = await stage.signedIn();
    await page.goto(stage.page('/waiting'));
    const row = page.getByRole('row').filter({ hasText: 'AfterMsgWithDraw' });
    assert.match(await row.textContent(), /^Jonh\s*1\s*evt_/);
    await row.getByRole('link').click();
    await page.getByRole('heading', { name: 'Now: waiting' }).waitFor();
    await page.getByRole('heading', { name: 'Attempt 1 HTTP 503' }).waitFor();
    stage.receiver.answers = { status: 200, ErrorCode: 0 };
  });

  test('a viewer looks, and has no button that changes anything', async (t) => {
    const stage = await Stage.set(t);
    await filled(stage);
    const { token } = await stage.server.operate('POST', '/tokens', { name: 'on call', role: 'viewer' });
    const page = await stage.signedIn({}, token);
    for (const path of await everyPage(stage)) {
      await page.goto(`${stage.server.address}/console${path}`);
      const buttons = new Set(await page.getByRole('button').allTextContents());
      buttons.delete('Sign out');
      buttons.delete('Search');
      assert.deepEqual([...buttons], [], path);
    }
    await page.goto(stage.page(''));
    await page.getByText('Your token only reads.').waitFor();
    assert.ok(await page.getByLabel('URL').isDisabled());
  });

  test('a page of another site changes nothing', async (t) => {
    const stage = await Stage.set(t);
    await stage.backend();
    const page = await stage.signedIn();
    // Another port is another origin, and yet the same site: the cookie comes along.
    const evil = 'http://127.0.0.1:59999/';
    const form = `<form method="post" action="${stage.page('/disable')}"><button>Win a boat</button></form>`;
    await page.route(`${evil}**`, (route) => route.fulfill({ contentType: 'text/html', body: form }));
    await page.goto(evil);
    await page.getByRole('button', { name: 'Win a boat' }).click();
    await page.getByText('sent by a page of another site').waitFor();
    assert.equal((await stage.server.operate('GET', `/apps/${SDKAPPID}`)).disabled, false);
  });

  test('whoever was led to sign in comes to the page that was asked for, and signs out', async (t) => {
    const stage = await Stage.set(t);
    await stage.backend();
    const page = await stage.window();
    await page.goto(stage.page('/deliveries?account=Jonh'));
    await page.getByLabel('Operator token').fill(stage.server.token);
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.getByRole('heading', { name: 'Deliveries' }).waitFor();
    assert.equal(page.url(), stage.page('/deliveries?account=Jonh'));
    await page.getByRole('button', { name: 'Sign out' }).click();
    await page.getByRole('heading', { name: 'Sign in' }).waitFor();
    await page.goBack();
    await page.getByRole('heading', { name: 'Sign in' }).waitFor();
    assert.equal(await page.getByText('Jonh').count(), 0, 'what was seen is kept nowhere');
  });

  test('keys, tokens and UserSigs are shown once', async (t) => {
    const stage = await Stage.set(t);
    await stage.backend();
    const page = await stage.signedIn();
    const secret = page.locator('#secret-text');
    const made = async (path, fill, button) => {
      await page.goto(`${stage.server.address}/console${path}`);
      await fill();
      await page.getByRole('button', { name: button }).click();
      const text = await secret.textContent();
      assert.ok(text.length >= 64 && !page.url().includes(text), page.url());
      await page.reload();
      assert.equal(await secret.count(), 0);
    };
    await made(`/apps/${SDKAPPID}`, async () => {}, 'Make a new key');
    await made(`/apps/${SDKAPPID}/usersig`, () => page.getByLabel('Account').fill('jared'), 'Make it');
    await made('/tokens', () => page.getByLabel('Name').fill('Ann'), 'Make the token');
    await page.getByRole('link', { name: 'Revoke Ann' }).click();
    await page.getByRole('button', { name: 'Revoke it' }).click();
    await page.getByText('was revoked.').waitFor();
  });

  test('an app is deleted only when its number is typed', async (t) => {
    const stage = await Stage.set(t);
    await stage.backend();
    const page = await stage.signedIn();
    await page.goto(stage.page(''));
    await page.getByRole('link', { name: 'Delete it' }).click();
    await page.getByLabel(/^Type/).fill('7');
    await page.getByRole('button', { name: 'Delete the app' }).click();
    await page.getByText(`Type ${SDKAPPID} to confirm.`).waitFor();
    await page.getByLabel(/^Type/).fill(String(SDKAPPID));
    await page.getByRole('button', { name: 'Delete the app' }).click();
    await page.getByText(`The app ${SDKAPPID} was deleted.`).waitFor();
  });
});

/** An app with something on every page of it: deliveries, a parked event, conversations. */
async function filled(stage) {
  const backend = await stage.backend({ retry: 'off' });
  await stage.recall(backend);
  stage.receiver.answers = { status: 500, ErrorCode: 0 };
  await stage.recall(backend);
}

async function everyPage(stage) {
  const app = `/apps/${SDKAPPID}`;
  const [delivered] = await stage.attempts('outcome=delivered');
  const [failed] = await stage.attempts('outcome=unavailable');
  const accounts = ['/accounts', '/accounts?account=Jonh', '/accounts?account=Jonh&peer=jared'];
  const ofApp = ['', '/deliveries', '/waiting', '/parked', ...accounts];
  const stories = [delivered, failed].map(({ event }) => `/events/${event}`);
  const asked = ['/usersig', '/delete', `/parked/${failed.event}/discard`];
  const others = ['', '?span=3%20h', '/apps', '/audit', '/tokens', '/nothing'];
  return [...others, ...[...ofApp, ...stories, ...asked].map((path) => app + path)];
}

async function assertFits(page, what) {
  await assertAccessible(page, what);
  const beyond = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  assert.ok(beyond <= 0, `${what} is ${beyond} px wider than the screen`);
}

/** What has the focus, by its label or its text. */
function focused(page) {
  return page.evaluate(() => {
    const element = document.activeElement;
    return (element.labels?.[0] ?? element).textContent.trim();
  });
}

/** Presses Tab until that has the focus. */
async function tabTo(page, name) {
  for (let i = 0; i < 60; i += 1) {
    if ((await focused(page)) === name) return;
    await page.keyboard.press('Tab');
  }
  assert.fail(`Tab never leads to ${name}`);
}
