// Logging in, breaks of the connection, and how a session ends.

import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import { Line } from './line.js';
import { SDKAPPID, Stage, bubble, closeBrowser, composer, ghost, open, own, say, skip } from './stage.js';

/** The SDK's pause before it tries again grows up to 30 s. */
const RECONNECT_MS = 40_000;

describe('sessions in the browser', { skip }, () => {
  after(closeBrowser);

  test('after a restart of the server the page shows what happened meanwhile', async (t) => {
    const stage = await Stage.set(t);
    const line = await Line.to(stage.server.port);
    t.after(() => line.cut());
    const jared = await stage.loggedIn('jared');
    const jonh = await stage.loggedIn('Jonh', {}, line.address);
    await open(jared, 'Jonh');
    await open(jonh, 'jared');
    const key = await stage.server.sendmsg('jared', 'Jonh', 'soon recalled');
    await bubble(jonh, 'soon recalled').waitFor();

    await line.cut();
    await stage.server.kill();
    await jared.locator('.banner').waitFor();
    await jonh.locator('.banner').waitFor();
    await say(jared, 'said into the void');
    await own(jared, 'said into the void').getByRole('button', { name: 'Send again' }).waitFor();

    await stage.server.resume();
    await jared.locator('.banner').waitFor({ state: 'hidden', timeout: RECONNECT_MS });
    await stage.server.recall('jared', 'Jonh', key);
    await stage.server.sendmsg('jared', 'Jonh', 'sent meanwhile');
    await ghost(jared, 'recalled a message').waitFor();
    await line.mend();
    await ghost(jonh, 'administrator recalled a message from jared').waitFor({ timeout: RECONNECT_MS });
    await bubble(jonh, 'sent meanwhile').waitFor();
    await jonh.locator('.banner').waitFor({ state: 'hidden' });

    await own(jared, 'said into the void').getByRole('button', { name: 'Send again' }).click();
    await bubble(jonh, 'said into the void').waitFor();
    await own(jared, 'said into the void').locator('.mark').waitFor();
    assert.equal(await bubble(jonh, 'said into the void').count(), 1);
  });

  test('the form logs in, and says what is wrong with a UserSig', async (t) => {
    const stage = await Stage.set(t);
    const page = await stage.window(await stage.context());
    await page.goto(`${stage.server.address}/chat/`);
    await page.getByLabel('SDKAppID').fill(String(SDKAPPID));
    await page.getByLabel('UserID').fill('jared');
    await page.getByLabel('UserSig').fill(stage.server.userSig('Jonh'));
    await page.getByRole('button', { name: 'Log in' }).click();
    await page.getByText('The UserSig was made for another UserID.').waitFor();
    assert.equal(await page.getByLabel('UserID').inputValue(), 'jared');
    await page.getByLabel('UserSig').fill(stage.server.userSig('jared'));
    await page.getByRole('button', { name: 'Log in' }).click();
    await page.locator('.app').waitFor();
  });

  test('a link logs in, its UserSig leaves the address bar, and a reload stays logged in', async (t) => {
    const stage = await Stage.set(t);
    const page = await stage.loggedIn('jared');
    assert.equal(page.url(), `${stage.server.address}/chat/`);
    await open(page, 'Jonh');
    await page.reload();
    await page.getByRole('heading', { level: 1, name: 'jared' }).waitFor();
    await page.getByRole('heading', { level: 2, name: 'Jonh' }).waitFor();
    await page.getByRole('button', { name: 'Log out' }).click();
    await page.getByLabel('UserSig').waitFor();
    await page.reload();
    await page.getByLabel('UserSig').waitFor();
  });

  test('another link in the same window changes the account', async (t) => {
    const stage = await Stage.set(t);
    const page = await stage.loggedIn('jared');
    await page.goto(stage.server.link('Jonh'));
    await page.getByRole('heading', { level: 1, name: 'Jonh' }).waitFor();
    assert.equal(page.url(), `${stage.server.address}/chat/`);
  });

  test('a login elsewhere logs this window out, until the reader takes it back', async (t) => {
    const stage = await Stage.set(t);
    const first = await stage.loggedIn('jared');
    const second = await stage.loggedIn('jared');
    await first.getByText('jared logged in on another device or in another window.').waitFor();
    await first.getByRole('button', { name: 'Log in here again' }).click();
    await first.locator('.app').waitFor();
    await second.getByRole('button', { name: 'Log in here again' }).waitFor();
    await open(first, 'Jonh');
    await say(first, 'still here');
    await own(first, 'still here').locator('.mark.sent').waitFor();
  });

  test('the app backend can end a session, and it stays ended', async (t) => {
    const stage = await Stage.set(t);
    const page = await stage.loggedIn('jared');
    await stage.server.kick('jared');
    await page.getByText('The app backend has ended this session.').waitFor();
    assert.equal(await page.getByRole('button', { name: 'Log in here again' }).count(), 0);
    await page.reload();
    await page.getByLabel('UserSig').waitFor();
  });

  test('a message to nobody says why it was not sent', async (t) => {
    const stage = await Stage.set(t);
    const page = await stage.loggedIn('jared');
    await open(page, 'nobody');
    await say(page, 'hello?');
    await page.getByText('Not sent. There is no account with this UserID.').waitFor();
    await composer(page).waitFor();
  });
});
