// What the receiver refuses is parked, and what is parked is seen, sent again, or thrown away.

import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import { SDKAPPID, Stage, WITHDRAW, closeBrowser, eventually, skip } from './stage.js';

describe('parked events', { skip }, () => {
  after(closeBrowser);

  test('one is sent again, and another is thrown away', async (t) => {
    const stage = await Stage.set(t);
    const backend = await stage.backend({ retry: 'off' });
    stage.receiver.answers = { status: 200, ErrorCode: 7 };
    const [first, second] = [await stage.recall(backend), await stage.recall(backend)];
    const page = await stage.signedIn();
    await parked(stage, 2);
    await page.goto(stage.page('/parked'));
    const rows = page.getByRole('row').filter({ hasText: 'ErrorCode 7' });
    assert.equal(await rows.count(), 2);

    await rows.first().getByRole('link', { name: /^evt_/ }).click();
    await page.getByRole('heading', { name: 'Now: parked' }).waitFor();
    await page.getByText('Not tried any more').waitFor();
    await page.getByRole('heading', { name: 'Attempt 1 refused error code' }).waitFor();
    await page.getByLabel('Answer of attempt 1').getByText('"ErrorCode":7').waitFor();
    assert.match(await page.getByLabel('Body of the callback').textContent(), new RegExp(first));

    stage.receiver.answers = { status: 200, ErrorCode: 0 };
    await page.getByRole('button', { name: 'Send it again' }).click();
    await page.getByText('One event is sent again').waitFor();
    const again = await stage.receiver.arrival(WITHDRAW, ({ headers }) => headers['unsaid-replay']);
    assert.equal(again.body.MsgKey, first);
    assert.equal(await rows.count(), 1);

    await rows.first().getByRole('link', { name: /^Throw away: evt_/ }).click();
    await page.getByText('Your app backend never hears of it.').waitFor();
    await page.getByRole('link', { name: 'No, go back' }).click();
    assert.equal(await rows.count(), 1);
    await rows.first().getByRole('link', { name: /^Throw away: evt_/ }).click();
    await page.getByRole('button', { name: 'Throw it away' }).click();
    await page.getByText('was thrown away.').waitFor();
    await page.getByText('Nothing is parked.').waitFor();
    await page.goto(`${stage.server.address}/console/audit?action=event`);
    assert.deepEqual(await page.locator('tbody code').allTextContents(), ['event.discard', 'event.replay']);
    assert.notEqual(first, second);
  });

  test('all of them are sent again at once', async (t) => {
    const stage = await Stage.set(t);
    const backend = await stage.backend({ retry: 'off' });
    stage.receiver.answers = { status: 500, ErrorCode: 0 };
    const keys = [];
    for (let i = 0; i < 5; i += 1) keys.push(await stage.recall(backend));
    await parked(stage, 5);
    const page = await stage.signedIn();
    await page.getByText('one app has parked ones').waitFor();
    await page.getByRole('link', { name: '5', exact: true }).click();
    stage.receiver.answers = { status: 200, ErrorCode: 0 };
    await page.getByRole('button', { name: 'Send all again' }).click();
    await page.getByText('5 events are sent again').waitFor();
    for (const key of keys)
      await stage.receiver.arrival(WITHDRAW, ({ headers, body }) => headers['unsaid-replay'] && body.MsgKey === key);
  });
});

/** Waits until that many events are parked. */
async function parked(stage, count) {
  const read = () => stage.server.operate('GET', `/apps/${SDKAPPID}/callback`);
  await eventually(read, ({ parked }) => parked === count);
}
