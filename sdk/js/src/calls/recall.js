// Taking a message back. The Promise tells the caller; MESSAGE_REVOKED tells everyone else.

import { object, peerOf, text } from '../arguments.js';
import { ChatError, CODE } from '../errors.js';

/** How much the clocks of server and client may differ where a message is looked for. */
const SLACK_S = 60;

/** `target` is a Message, or `{ID, conversationID}` of one. */
export async function revokeMessage(core, target) {
  const { store, session, raiseAll } = core;
  const ID = text(object(target, 'the message').ID, 'ID');
  const peer = peerOf(target.conversationID);
  const entry = store.messages.get(ID) ?? (await lookFor(core, ID, peer));
  const { message } = entry;
  if (!entry.wire)
    throw failure(CODE.RECALL_FAILED, 'the message was not sent, so there is nothing to recall', message);
  if (message.flow !== 'out') throw failure(CODE.NO_MESSAGE, 'only its sender can recall a message', message);
  store.recalling.add(ID);
  try {
    await session.ask('recall', { to: peer, msg_key: entry.wire.msg_key });
  } catch (error) {
    // The first attempt was carried out, and its answer was lost.
    const byMe = entry.wire.recalled_by === undefined || entry.wire.recalled_by === store.self;
    const wasDone = error.code === CODE.RECALLED_BEFORE && error.repeated && byMe;
    const wasHeard = error.code === CODE.REQUEST_TIMEOUT && entry.wire.recalled_by === store.self;
    if (!wasDone && !wasHeard) {
      error.data = { message };
      throw error;
    }
  } finally {
    store.recalling.delete(ID);
  }
  raiseAll(store.recalled(entry));
  return { message };
}

/** A message that this instance does not hold: the server is asked for what is recent enough to be recalled. */
async function lookFor({ store, session }, ID, peer) {
  const since_s = session.serverTime_s - store.recallWindow_s - SLACK_S;
  let before;
  for (;;) {
    const asOf = store.number ?? 0;
    const page = await session.ask('history', { peer, count: 50, ...(before && { before }) });
    const found = page.messages.find(({ msg_id }) => msg_id === ID);
    if (found) return store.put(found, { asOf });
    before = page.messages[0]?.msg_key;
    if (page.complete || before === undefined || Number(before.split('_')[2]) < since_s) break;
  }
  const made_s = Number(ID.split('-')[1]);
  throw made_s < since_s
    ? new ChatError(CODE.RECALL_TOO_LATE, `the message is older than the recall window of ${store.recallWindow_s} s`)
    : new ChatError(CODE.NO_MESSAGE, `there is no message ${ID} in the conversation with ${peer}`);
}

function failure(code, sentence, message) {
  return new ChatError(code, sentence, { message });
}
