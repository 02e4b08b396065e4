// The pictures of the README: the overview of a server that has worked for some minutes, and the story of a recall. Made only on
// request (UNSAID_PICTURES=1), since a picture that changes with every run would be noise in the history.

import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { SDKAPPID, Stage, closeBrowser, skip } from './stage.js';

const picture = (name) => fileURLToPath(new URL(`../../../../docs/pictures/${name}.png`, import.meta.url));
const LOOK = { viewport: { width: 1180, height: 800 }, colorScheme: 'light', reducedMotion: 'reduce' };
const onRequest = process.env.UNSAID_PICTURES === '1' ? false : 'set UNSAID_PICTURES=1 to make the pictures anew';

after(closeBrowser);

test('the pictures of the README', { skip: skip || onRequest }, async (t) => {
  const stage = await Stage.set(t);
  const backend = await stage.backend();
  const page = await stage.signedIn(LOOK);
  await mkdir(dirname(picture('console')), { recursive: true });
  // A recall that arrives at the second attempt.
  stage.receiver.answers = { status: 503, ErrorCode: 0 };
  const key = await stage.recall(backend);
  stage.receiver.answers = { status: 200, ErrorCode: 0 };
  await stage.attempts(`msg_key=${key}&outcome=delivered`);
  await page.goto(stage.page(`/deliveries?msg_key=${key}`));
  await page.locator('tbody a').first().click();
  await page.getByRole('heading', { name: 'Now: delivered' }).waitFor();
  await page.screenshot({ path: picture('story'), fullPage: true });

  await stage.server.operate('POST', '/apps', { sdkappid: SDKAPPID + 1, name: 'Ferry, staging' });
  await busy(stage, backend, 160_000);
  await page.goto(`${stage.server.address}/console`);
  await page.getByText('Callbacks flow.').waitFor();
  await page.screenshot({ path: picture('console'), fullPage: true });
});

/** Recalls in waves, now and then with a receiver that fails for a moment. */
async function busy(stage, backend, for_ms) {
  const began_ms = Date.now();
  for (let round = 0; Date.now() - began_ms < for_ms; round += 1) {
    const at = (Date.now() - began_ms) / for_ms;
    stage.receiver.answers.status = round % 90 === 60 ? 503 : 200;
    const count = 2 + Math.round(4 * (1 + Math.sin(at * 9)) + 3 * Math.random());
    await Promise.all(
      Array.from({ length: count }, async () => {
        const key = await backend.send('jared', 'Jonh', 'lunch at noon?');
        await backend.recall('jared', 'Jonh', key);
      }),
    );
    await new Promise((next) => setTimeout(next, 180));
  }
  stage.receiver.answers.status = 200;
}
