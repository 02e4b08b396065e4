// The picture of the README: two windows, side by side, with a message that was recalled. Made only on request
// (UNSAID_PICTURES=1), since a picture that changes with every run would be noise in the history.

import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { after, test } from 'node:test';
import { Stage, bubble, closeBrowser, composer, ghost, open, own, say, skip, until } from './stage.js';

const PICTURE = fileURLToPath(new URL('../../../docs/pictures/chat.png', import.meta.url));
const WINDOW = { width: 780, height: 580 };
const onRequest = process.env.UNSAID_PICTURES === '1' ? false : 'set UNSAID_PICTURES=1 to make the picture anew';

after(closeBrowser);

test('the picture of the README', { skip: skip || onRequest }, async (t) => {
  const stage = await Stage.set(t);
  const [jared, jonh] = [await stage.loggedIn('jared', look()), await stage.loggedIn('Jonh', look())];
  await others(stage);
  await open(jared, 'Jonh');
  await open(jonh, 'jared');
  await talk(jared, jonh);
  for (const page of [jared, jonh]) await aged(page);
  await jared.locator('.recall').last().hover();
  await jonh.mouse.move(0, 0);
  const pictures = [await jared.screenshot(), await jonh.screenshot()];
  await mkdir(dirname(PICTURE), { recursive: true });
  await compose(stage, pictures);
});

function look() {
  return { viewport: WINDOW, deviceScaleFactor: 2, colorScheme: 'light', reducedMotion: 'reduce' };
}

/** As it looks half a minute later, with nothing in focus. */
async function aged(page) {
  await page.clock.setFixedTime(Date.now() + 34_000);
  await page.evaluate(() => document.activeElement.blur());
  await until(
    page,
    () => page.locator('.left').first().textContent(),
    (left) => left.startsWith('1:2'),
  );
}

/** Further conversations in both lists, not read yet. */
async function others(stage) {
  for (const [user, nick] of [
    ['mira', 'Mira K.'],
    ['tomas', 'Tomas'],
    ['yuki', 'Yuki'],
  ])
    await stage.server.importAccount(user, nick);
  await stage.server.sendmsg('yuki', 'jared', 'The tickets are in your inbox.');
  await stage.server.sendmsg('tomas', 'Jonh', 'See you on Thursday, then.');
  await stage.server.sendmsg('mira', 'jared', 'Did you see the new boat?');
  await stage.server.sendmsg('mira', 'Jonh', 'The ferry leaves at six.');
}

async function talk(jared, jonh) {
  await say(jared, 'Lunch at noon?');
  await bubble(jonh, 'Lunch at noon?').waitFor();
  await say(jonh, 'Gladly. By the harbour?');
  await bubble(jared, 'harbour').waitFor();
  await say(jared, "Yes! I'll tell you a secret about its owner");
  await bubble(jonh, 'secret').waitFor();
  await own(jared, 'secret').locator('.recall').click();
  await ghost(jonh, 'jared recalled a message').waitFor();
  await say(jonh, 'I saw nothing. 😌');
  await bubble(jared, 'I saw nothing').waitFor();
  await say(jared, 'And so it shall remain.');
  await bubble(jonh, 'so it shall remain').waitFor();
  await own(jared, 'so it shall remain').locator('.mark.read').waitFor();
  await composer(jonh).fill('');
}

/** Both windows on one sheet. */
async function compose(stage, pictures) {
  const page = await (
    await stage.context({
      viewport: { width: 2 * WINDOW.width + 96, height: WINDOW.height + 64 },
      deviceScaleFactor: 1,
    })
  ).newPage();
  const images = pictures.map((picture) => `<img src="data:image/png;base64,${picture.toString('base64')}">`);
  await page.setContent(`<style>
    body { margin: 0; height: 100vh; display: flex; gap: 32px; align-items: center; justify-content: center; background: #dfe6e1; }
    img { width: ${WINDOW.width}px; height: ${WINDOW.height}px; border-radius: 14px; box-shadow: 0 18px 50px #1f26222e, 0 0 0 1px #1f262214; }
  </style>${images.join('')}`);
  await page.screenshot({ path: PICTURE });
}
