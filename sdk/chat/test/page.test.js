// The page itself: history, phones, dark mode, keyboard, languages, foreign text, accessibility.

import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import { CHINESE } from '../text-zh.js';
import { ENGLISH } from '../text-en.js';
import {
  Stage,
  assertAccessible,
  bubble,
  closeBrowser,
  composer,
  ghost,
  open,
  own,
  say,
  skip,
  until,
} from './stage.js';

const PHONE = { viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true };

test('both languages say the same things', () => {
  const shape = (texts) =>
    Object.entries(texts).map(([name, said]) => `${name} ${typeof said} ${said.length * (typeof said === 'function')}`);
  assert.deepEqual(shape(CHINESE), shape(ENGLISH));
  assert.deepEqual(Object.keys(CHINESE.errors), Object.keys(ENGLISH.errors));
});

describe('the page in the browser', { skip }, () => {
  after(closeBrowser);

  test('history loads by scrolling up, and the reader stays at the place', async (t) => {
    const stage = await Stage.set(t);
    const now_s = Math.floor(Date.now() / 1000);
    for (let i = 0; i < 60; i += 1)
      await stage.server.importmsg('jared', 'Jonh', `old message ${i}.`, now_s - 86_400 * 3 + i * 60);
    const page = await stage.loggedIn('Jonh');
    await open(page, 'jared');
    await bubble(page, 'old message 59.').waitFor();
    assert.equal(await bubble(page, 'old message 10.').count(), 0);
    const log = page.locator('.log');
    const first = page.locator('.message', { hasText: 'old message 45.' });
    const place = (item) => item.getBoundingClientRect().top;
    // Scrolled and measured at once: a moment later the next page may be there.
    const before = await first.evaluate((item) => {
      item.closest('.log').scrollTop = 40;
      return item.getBoundingClientRect().top;
    });
    await until(
      page,
      () => page.locator('.message').count(),
      (count) => count > 15,
    );
    const moved = Math.abs((await first.evaluate(place)) - before);
    assert.ok(moved < 20, `what was being read stays where it was, and moved by ${moved} px`);
    await until(page, async () => {
      await log.evaluate((area) => (area.scrollTop = 0));
      return page.getByText('The conversation begins here.').count();
    });
    await bubble(page, 'old message 0.').waitFor();
    assert.equal(await page.locator('.message').count(), 60);
  });

  test('on a phone the list and the conversation are two screens', async (t) => {
    const stage = await Stage.set(t);
    await stage.server.sendmsg('jared', 'Jonh', 'hello');
    const page = await stage.loggedIn('Jonh', PHONE);
    await assertAccessible(page, 'list on a phone');
    await page.locator('.conversations button').tap();
    await bubble(page, 'hello').waitFor();
    assert.equal(await page.locator('.side').isVisible(), false);
    await say(page, 'hi');
    await own(page, 'hi').locator('.recall').waitFor();
    await assertAccessible(page, 'conversation on a phone');
    const wide = await page.evaluate(() => document.documentElement.scrollWidth > innerWidth);
    assert.equal(wide, false, 'nothing is wider than the screen');
    await page.getByRole('button', { name: 'Back to the conversations' }).tap();
    await page.locator('.side').waitFor();
    await page.locator('.conversations button').tap();
    await composer(page).waitFor();
    await page.goBack();
    await page.locator('.side').waitFor();
  });

  test('dark mode is dark, and as readable', async (t) => {
    const stage = await Stage.set(t);
    const page = await stage.loggedIn('Jonh', { colorScheme: 'dark' });
    await open(page, 'jared');
    await stage.server.sendmsg('jared', 'Jonh', 'hello');
    await say(page, 'good evening');
    await say(page, 'oh');
    await own(page, 'oh').last().locator('.recall').click();
    await ghost(page, 'You recalled a message').waitFor();
    const paper = await page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    const [red, green, blue] = paper.match(/\d+/g).map(Number);
    assert.ok(red + green + blue < 120, paper);
    await settled(page);
    await assertAccessible(page, 'dark');
  });

  test('everything can be done by keyboard', async (t) => {
    const stage = await Stage.set(t);
    await stage.server.sendmsg('tester', 'jared', 'hi').catch(() => {});
    const page = await stage.loggedIn('jared');
    const focused = (selector) => page.evaluate((wanted) => document.activeElement.matches(wanted), selector);
    const press = (key) => page.keyboard.press(key);
    await until(page, async () => {
      await press('Tab');
      return focused('.new input');
    });
    await page.keyboard.type('Jonh');
    await press('Enter');
    await until(page, () => focused('.composer textarea'));
    await page.keyboard.type('first line');
    await press('Shift+Enter');
    await page.keyboard.type('second line');
    await press('Enter');
    await own(page, 'first line').locator('.mark.sent').waitFor();
    assert.equal(await own(page, 'first line').locator('.words').textContent(), 'first line\nsecond line');
    await press('ArrowUp');
    assert.ok(await focused('.recall'), 'up in an empty field leads to the latest recall');
    const outline = await page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle);
    assert.equal(outline, 'solid', 'the focus can be seen');
    await press('Enter');
    await ghost(page, 'You recalled a message').waitFor();
    await until(page, () => focused('.composer textarea'));
    await until(
      page,
      () => page.locator('#spoken').textContent(),
      (said) => said.includes('You recalled a message'),
    );
    await press('Escape');
    await until(page, () => focused('.conversations button'));
    assert.equal(await composer(page).count(), 0);
    await press('Enter');
    await until(page, () => focused('.composer textarea'));
    await press('Shift+Tab');
    await press('Shift+Tab');
    assert.ok((await focused('.log')) || (await focused('.again')), 'the messages can be scrolled by keyboard');
  });

  test('Enter that ends a word of an input method sends nothing', async (t) => {
    const stage = await Stage.set(t);
    const page = await stage.loggedIn('jared');
    await open(page, 'Jonh');
    await composer(page).fill('中');
    await composer(page).evaluate((field) =>
      field.dispatchEvent(new KeyboardEvent('keydown', { key: 'Enter', isComposing: true, bubbles: true })),
    );
    assert.equal(await composer(page).inputValue(), '中');
    await composer(page).press('Enter');
    await own(page, '中').locator('.mark.sent').waitFor();
    assert.equal(await page.locator('.message').count(), 1);
  });

  test('it speaks Chinese to a Chinese browser, and can be switched', async (t) => {
    const stage = await Stage.set(t);
    const [jared, jonh] = [await stage.loggedIn('jared'), await stage.loggedIn('Jonh', { locale: 'zh-CN' })];
    await open(jared, 'Jonh');
    await open(jonh, 'jared');
    await say(jared, '你好');
    await bubble(jonh, '你好').waitFor();
    await say(jonh, '吃了吗');
    await own(jonh, '吃了吗').getByRole('button', { name: '撤回' }).click();
    await ghost(jonh, '你撤回了一条消息').waitFor();
    await own(jared, '你好').locator('.recall').click();
    await ghost(jonh, 'jared 撤回了一条消息').waitFor();
    assert.equal(await jonh.evaluate(() => document.documentElement.lang), 'zh-CN');
    await settled(jonh);
    await assertAccessible(jonh, 'Chinese');
    await jonh.getByRole('button', { name: 'English' }).click();
    await ghost(jonh, 'jared recalled a message').waitFor();
    await jonh.getByRole('button', { name: '中文' }).click();
    await ghost(jonh, '你撤回了一条消息').waitFor();
  });

  test('what people write is text, whatever it looks like', async (t) => {
    const stage = await Stage.set(t);
    const nasty = `<img src=x onerror="window.broken=1"><script>window.broken=1</script><b>bold</b> &amp; javascript:alert(1)`;
    await stage.server.importAccount('mallory', '<i>Mallory</i>');
    const page = await stage.loggedIn('Jonh');
    await stage.server.sendmsg('mallory', 'Jonh', nasty);
    await page.locator('.preview', { hasText: '<img src=x' }).waitFor();
    await page.locator('.name', { hasText: '<i>Mallory</i>' }).waitFor();
    await page.locator('.conversations button').click();
    await bubble(page, '<b>bold</b>').waitFor();
    assert.equal(await page.locator('.bubble .words').textContent(), nasty);
    assert.equal(await page.locator('.bubble :is(img, b, a, script)').count(), 0);
    assert.equal(await page.evaluate(() => window.broken), undefined);
    await stage.server.sendmsg('mallory', 'Jonh', 'see https://example.com/a?b=1.');
    const link = page.locator('.bubble a');
    assert.equal(await link.getAttribute('href'), 'https://example.com/a?b=1');
    assert.equal(await link.getAttribute('rel'), 'noopener noreferrer');
  });

  test('axe finds nothing in any state', async (t) => {
    const stage = await Stage.set(t);
    const page = await stage.window(await stage.context());
    await page.goto(`${stage.server.address}/chat/`);
    await page.getByLabel('UserSig').waitFor();
    await assertAccessible(page, 'login');
    await stage.enter(page, 'jared');
    await assertAccessible(page, 'empty list');
    await stage.server.sendmsg('Jonh', 'jared', 'hello');
    await page.locator('.badge').waitFor();
    await assertAccessible(page, 'unread');
    await page.locator('.conversations button').click();
    await say(page, 'hello');
    await say(page, 'recalled soon');
    await own(page, 'recalled soon').locator('.recall').click();
    await ghost(page, 'You recalled').waitFor();
    await settled(page);
    await assertAccessible(page, 'conversation');
    await stage.server.kill();
    await page.locator('.banner').waitFor();
    await say(page, 'not now');
    await page.getByRole('button', { name: 'Send again' }).waitFor();
    await assertAccessible(page, 'without connection');
    await stage.server.resume();
    await page.locator('.banner').waitFor({ state: 'hidden', timeout: 40_000 });
    await stage.loggedIn('jared');
    await page.getByRole('button', { name: 'Log in here again' }).waitFor();
    await assertAccessible(page, 'kicked');
  });
});

/** No animation runs: colours on their way have no contrast that counts. */
async function settled(page) {
  await page.evaluate(() =>
    Promise.all(document.getAnimations().map((animation) => animation.finished.catch(() => {}))),
  );
}
