// What a message says, as plain text: in the list of conversations, to a screen reader, and in its bubble.

import Unsaid from './sdk/index.js';
import { recalledBy } from './account.js';
import { text } from './text.js';

const { TYPES } = Unsaid;

/** The words of a message that was not recalled; of several elements, one after the other. */
export function wordsOf({ type, payload, elements = [] }) {
  const [, ...others] = elements;
  const further = others.map(({ MsgType, MsgContent }) => wordsOfOne(MsgType, { text: MsgContent?.Text }));
  return [wordsOfOne(type, payload ?? {}), ...further].join('\n');
}

/** "jared recalled a message", in the place of one. An admin recalls what others have sent. */
export function recallNotice(message, account) {
  const sender = message.from ?? message.fromAccount;
  const by = recalledBy(message) || sender;
  if (by === account.user) return text('recalledByYou');
  if (by === sender) return text('recalledBy', account.nameOf(by));
  if (sender === account.user) return text('recalledYours', account.nameOf(by));
  return text('recalledOf', account.nameOf(by), account.nameOf(sender));
}

/** One line for the list of conversations. */
export function preview(lastMessage, account) {
  if (!lastMessage?.type) return '';
  if (lastMessage.isRevoked) return recallNotice(lastMessage, account);
  const words = wordsOf(lastMessage);
  return lastMessage.fromAccount === account.user ? text('youSaid', words) : words;
}

/** The address of a picture that may be shown: over HTTPS, as the page's policy wants it. */
export function pictureOf({ type, payload }) {
  if (type !== TYPES.MSG_IMAGE) return null;
  const images = payload?.imageInfoArray ?? [];
  const address = (images.find((image) => image.type === 2) ?? images[0])?.url ?? '';
  return address.startsWith('https://') ? address : null;
}

function wordsOfOne(type, payload) {
  return WORDS[type]?.(payload) || text('otherKind');
}

const WORDS = {
  [TYPES.MSG_TEXT]: (payload) => payload.text,
  [TYPES.MSG_CUSTOM]: (payload) => text('custom', payload.description || payload.data),
  [TYPES.MSG_FACE]: (payload) => text('face', payload.data),
  [TYPES.MSG_LOCATION]: (payload) => text('location', payload.description),
  [TYPES.MSG_IMAGE]: () => text('image'),
  [TYPES.MSG_AUDIO]: () => text('audio'),
  [TYPES.MSG_VIDEO]: () => text('video'),
  [TYPES.MSG_FILE]: (payload) => payload.fileName || text('file'),
};
