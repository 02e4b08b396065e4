// The main job: whoever has never seen Unsaid connects a receiver with the console alone, although its certificate is one that
// nobody knows, and sees the next recall arrive.

import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import { Backend, SDKAPPID, Stage, WITHDRAW, closeBrowser, skip } from './stage.js';

describe('connecting a receiver', { skip }, () => {
  after(closeBrowser);

  test('a receiver with a certificate that nobody knows is connected, and the next recall is seen', async (t) => {
    const stage = await Stage.set(t);
    const page = await stage.signedIn();

    await page.getByRole('link', { name: 'Make the first one' }).click();
    await page.getByLabel('Name').fill('Ferry');
    await page.getByRole('button', { name: 'Make the app' }).click();
    await page.getByText(`The app ${SDKAPPID} was made.`).waitFor();
    const key = await page.locator('#secret-text').textContent();

    await page.getByLabel('URL').fill(stage.receiver.url);
    await page.getByLabel(WITHDRAW).check();
    await page.getByRole('button', { name: 'Save and test' }).click();
    const tested = page.locator('.tested');
    await tested.getByText('Not delivered.').waitFor();
    assert.deepEqual(await states(tested), ['done', 'done', 'failed', 'not reached', 'not reached']);
    assert.match(await tested.textContent(), /no trusted authority has signed the certificate/);

    await tested.getByText('What to do').waitFor();
    await tested.getByLabel('Own CA (PEM)').fill(stage.receiver.ca);
    await tested.getByRole('button', { name: 'Save and test again' }).click();
    await tested.getByText(/^Delivered in/).waitFor();
    assert.deepEqual(await states(tested), ['done', 'done', 'done', 'done', 'done']);
    await stage.receiver.arrival(WITHDRAW);
    assert.equal((await page.getByLabel('Own CA (PEM)').inputValue()).trim(), stage.receiver.ca.trim());

    await page.getByRole('link', { name: 'Deliveries' }).click();
    await page.getByText('No delivery yet.').waitFor();
    const backend = new Backend(stage.server, SDKAPPID, key);
    await backend.importAccounts('jared', 'Jonh');
    const msgKey = await stage.recall(backend);
    const row = page.getByRole('row').filter({ hasText: msgKey });
    await row.waitFor();
    assert.match(await row.textContent(), /AfterMsgWithDraw\s*Jonh/);
    await row.getByText('delivered').waitFor();

    await row.getByRole('link').click();
    await page.getByRole('heading', { name: `Owed: ${WITHDRAW}` }).waitFor();
    await page.getByRole('heading', { name: 'Attempt 1 delivered' }).waitFor();
    await page.getByRole('heading', { name: 'Now: delivered' }).waitFor();
    assert.match(await page.getByLabel('Body of the callback').textContent(), new RegExp(`"MsgKey": "${msgKey}"`));
    await page.getByText('RESTAPI from 127.0.0.1').waitFor();
  });

  test('what is typed is checked before it is saved', async (t) => {
    const stage = await Stage.set(t);
    await stage.backend();
    const page = await stage.signedIn();
    await page.goto(stage.page(''));
    const url = page.getByLabel('URL');
    await url.fill('http://app.example/im');
    await page.locator('#wrong-url', { hasText: 'is plain http: use https' }).waitFor();
    assert.equal(await url.getAttribute('aria-invalid'), 'true');
    assert.match(await url.getAttribute('aria-describedby'), /wrong-url/);
    await url.fill('https://app.example/im');
    await page.getByText('This can be saved.').waitFor();
    assert.equal(await url.getAttribute('aria-invalid'), null);
    await page.getByLabel('Own CA (PEM)').fill('-----BEGIN NOTHING-----');
    await page.locator('#wrong-ca_pem', { hasText: 'PEM' }).waitFor();
    assert.ok(await page.getByLabel('Own CA (PEM)').evaluate((field) => field === document.activeElement));
    const { callback } = await stage.server.operate('GET', `/apps/${SDKAPPID}`);
    assert.equal(callback.url, stage.receiver.url, 'nothing was saved');
  });

  test('everything but what is live works without JavaScript', async (t) => {
    const stage = await Stage.set(t);
    const backend = await stage.backend();
    const page = await stage.signedIn({ javaScriptEnabled: false });
    await page.goto(stage.page(''));
    await page.getByRole('button', { name: 'Send a test' }).click();
    await page.getByText(/^Delivered in/).waitFor();
    await page.getByLabel('URL').fill('ftp://app.example/');
    await page.getByRole('button', { name: 'Save', exact: true }).first().click();
    await page.getByText('must begin with https://').waitFor();
    assert.equal(await page.getByLabel('URL').inputValue(), 'ftp://app.example/', 'what was typed is still there');
    const key = await stage.recall(backend);
    await stage.takenDown(key);
    await page.goto(stage.page(`/deliveries?msg_key=${key}`));
    await page.getByText(/^2\d{3}-\d\d-\d\d .* UTC$/).click();
    await page.getByRole('heading', { name: 'Now: delivered' }).waitFor();
  });
});

/** How each step of a test went. */
async function states(tested) {
  return tested.locator('.steps .state').allTextContents();
}
