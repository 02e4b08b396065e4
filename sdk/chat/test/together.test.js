// Two windows and a program in Node chat through one server, and each sees what the others take back.

import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import WebSocket from 'ws';
import { Chat, EVENT, TYPES } from '../../js/src/index.js';
import { Stage, SDKAPPID, bubble, closeBrowser, ghost, open, own, say, skip } from './stage.js';

const WITHDRAW = 'C2C.CallbackAfterMsgWithDraw';

/** The first message of an event for which `fits` holds. */
function message(chat, event, fits) {
  return new Promise((resolve) => {
    const look = ({ data }) => {
      const found = data.find(fits);
      if (!found) return;
      chat.off(event, look);
      resolve(found);
    };
    chat.on(event, look);
  });
}

describe('windows and programs', { skip }, () => {
  after(closeBrowser);

  test('each sees what the others take back, and the app backend knows on what', async (t) => {
    const stage = await Stage.set(t);
    const [jared, jonh] = [await stage.loggedIn('jared'), await stage.loggedIn('Jonh')];
    const mira = new Chat({ SDKAppID: SDKAPPID, server: stage.server.address.replace('http', 'ws') + '/ws', WebSocket, platform: 'Mac' });
    t.after(() => mira.destroy());
    await mira.login({ userID: 'mira', userSig: stage.server.userSig('mira') });
    const text = (to, words) =>
      mira.createTextMessage({ to, conversationType: TYPES.CONV_C2C, payload: { text: words } });

    await open(jared, 'mira');
    await open(jonh, 'mira');
    const heard = message(mira, EVENT.MESSAGE_RECEIVED, ({ from }) => from === 'jared');
    await say(jared, 'from a window');
    assert.equal((await heard).payload.text, 'from a window');
    const sent = await mira.sendMessage(text('Jonh', 'from a program'));
    await mira.sendMessage(text('jared', 'also from a program'));
    await bubble(jonh, 'from a program').waitFor();
    await bubble(jared, 'also from a program').waitFor();

    const gone = message(mira, EVENT.MESSAGE_REVOKED, ({ from }) => from === 'jared');
    await own(jared, 'from a window').locator('.recall').click();
    assert.equal((await gone).revoker, 'jared');
    const byWindow = await stage.receiver.arrival(WITHDRAW, ({ body }) => body.From_Account === 'jared');
    assert.equal(byWindow.query.OptPlatform, 'Web');

    await mira.revokeMessage(sent.data.message);
    await ghost(jonh, 'mira recalled a message').waitFor();
    const byProgram = await stage.receiver.arrival(WITHDRAW, ({ body }) => body.From_Account === 'mira');
    assert.deepEqual([byProgram.query.OptPlatform, byProgram.query.ClientIP], ['Mac', '127.0.0.1']);
    assert.equal(await bubble(jared, 'also from a program').count(), 1, 'the other one stays');
    assert.equal(stage.receiver.count(WITHDRAW), 2);
  });
});
