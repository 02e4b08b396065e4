// The main job: two people chat, one takes a message back, and everybody who has to know of it does.

import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import { Stage, SDKAPPID, bubble, closeBrowser, composer, ghost, open, own, say, skip, until } from './stage.js';

const WITHDRAW = 'C2C.CallbackAfterMsgWithDraw';

describe('recall in the browser', { skip }, () => {
  after(closeBrowser);

  test('two windows of one browser: one recalls, both show it, the app backend is told', async (t) => {
    const stage = await Stage.set(t);
    const browser = await stage.context();
    const [jared, jonh] = [await stage.window(browser), await stage.window(browser)];
    await stage.enter(jared, 'jared');
    await stage.enter(jonh, 'Jonh');
    await open(jared, 'Jonh');
    await open(jonh, 'jared');

    await say(jared, 'lunch at noon?');
    await bubble(jonh, 'lunch at noon?').waitFor();
    await own(jared, 'lunch at noon?').locator('.mark.read').waitFor();
    await say(jonh, 'at one?');
    await bubble(jared, 'at one?').waitFor();
    await own(jonh, 'at one?').locator('.mark.read').waitFor();
    const sent = await stage.receiver.arrival('C2C.CallbackAfterSendMsg', ({ body }) => body.From_Account === 'jared');

    await own(jared, 'lunch at noon?').locator('.recall').click();
    await ghost(jared, 'You recalled a message').waitFor();
    await ghost(jonh, 'jared recalled a message').waitFor();
    assert.equal(await bubble(jonh, 'lunch at noon?').count(), 0);
    assert.equal(
      await jonh.locator('.messages > li.message').first().locator('.ghost').count(),
      1,
      'it keeps its place',
    );

    const { query, body } = await stage.receiver.arrival(WITHDRAW);
    assert.equal(body.From_Account, 'jared');
    assert.equal(body.To_Account, 'Jonh');
    assert.equal(body.MsgKey, sent.body.MsgKey);
    assert.equal(query.OptPlatform, 'Web');
    assert.equal(query.ClientIP, '127.0.0.1');
    assert.equal(query.SdkAppid, String(SDKAPPID));
    assert.equal(stage.receiver.count(WITHDRAW), 1);
  });

  test('what was recalled can be written again by its author', async (t) => {
    const stage = await Stage.set(t);
    const jared = await stage.loggedIn('jared');
    await open(jared, 'Jonh');
    await say(jared, 'at onw');
    await own(jared, 'at onw').locator('.recall').click();
    await ghost(jared, 'You recalled a message').getByRole('button', { name: 'Write it again' }).click();
    assert.equal(await composer(jared).inputValue(), 'at onw');
    assert.ok(await composer(jared).evaluate((field) => field === document.activeElement));
  });

  test('a recall by REST is shown on both sides, also after a reload', async (t) => {
    const stage = await Stage.set(t);
    const [jared, jonh] = [await stage.loggedIn('jared'), await stage.loggedIn('Jonh')];
    await open(jared, 'Jonh');
    await open(jonh, 'jared');
    const key = await stage.server.sendmsg('jared', 'Jonh', 'sent by the app backend');
    await bubble(jared, 'sent by the app backend').waitFor();
    await bubble(jonh, 'sent by the app backend').waitFor();
    await stage.server.recall('jared', 'Jonh', key);
    await ghost(jared, 'administrator recalled a message of yours').waitFor();
    await ghost(jonh, 'administrator recalled a message from jared').waitFor();
    await jonh.locator('.preview.is-recalled').waitFor();
    const { query } = await stage.receiver.arrival(WITHDRAW);
    assert.equal(query.OptPlatform, 'RESTAPI');
    await jonh.reload();
    await jonh.locator('.conversations button').click();
    await ghost(jonh, 'administrator recalled a message from jared').waitFor();
  });

  test('an unread message that is recalled is not unread any more', async (t) => {
    const stage = await Stage.set(t);
    const jonh = await stage.loggedIn('Jonh');
    const keys = [
      await stage.server.sendmsg('jared', 'Jonh', 'one'),
      await stage.server.sendmsg('jared', 'Jonh', 'two'),
    ];
    const badge = jonh.locator('.badge');
    await badge.getByText('2', { exact: true }).waitFor();
    await until(
      jonh,
      () => jonh.title(),
      (title) => title === '(2) Jonh · Unsaid',
    );
    await stage.server.recall('jared', 'Jonh', keys[1]);
    await badge.getByText('1', { exact: true }).waitFor();
    await jonh.getByText('administrator recalled a message from jared').first().waitFor();
    await stage.server.recall('jared', 'Jonh', keys[0]);
    await badge.waitFor({ state: 'detached' });
    await until(
      jonh,
      () => jonh.title(),
      (title) => title === 'Jonh · Unsaid',
    );
  });

  test('the button shows how long it works, and goes when the time has passed', async (t) => {
    const stage = await Stage.set(t);
    const jared = await stage.loggedIn('jared');
    await open(jared, 'Jonh');
    await say(jared, 'soon too late');
    const recall = own(jared, 'soon too late').locator('.recall');
    const left = (expected) => recall.locator('.left', { hasText: expected }).waitFor();
    const sent_ms = Date.now();
    await left(/^(2:0|1:5)\d$/);
    await jared.clock.setFixedTime(sent_ms + 60_000);
    await left(/^(1:0|0:5)\d$/);
    await jared.clock.setFixedTime(sent_ms + 122_000);
    await recall.waitFor({ state: 'detached' });
    assert.equal(await bubble(jared, 'soon too late').count(), 1);
  });

  test("whoever is too late by the server's clock is told so", async (t) => {
    const stage = await Stage.set(t, 'recall_window_s = 2');
    const jared = await stage.loggedIn('jared');
    await open(jared, 'Jonh');
    await say(jared, 'too late');
    await own(jared, 'too late').locator('.recall').waitFor();
    await jared.clock.setFixedTime(Date.now());
    const sent_ms = Date.now();
    await until(
      jared,
      () => Date.now() - sent_ms,
      (passed_ms) => passed_ms > 4_000,
    );
    await own(jared, 'too late').locator('.recall').click();
    await jared.getByText('Not recalled. The time for recalling it has passed.').waitFor();
    assert.equal(await own(jared, 'too late').locator('.recall').count(), 0);
  });
});
