// The package's front door: one instance for each SDKAppID, and the names that go with it.

import { Chat } from './chat.js';
import { ChatError, CODE } from './errors.js';
import { EVENT, TYPES } from './types.js';

const instances = new Map();

/** The instance of an app: made by the first call, and handed out again until it is destroyed. */
function create(options) {
  const { SDKAppID } = options ?? {};
  const held = instances.get(SDKAppID);
  if (held) return held;
  const chat = new Chat(options);
  const destroy = chat.destroy.bind(chat);
  chat.destroy = () => {
    if (instances.get(SDKAppID) === chat) instances.delete(SDKAppID);
    return destroy();
  };
  instances.set(SDKAppID, chat);
  return chat;
}

export { Chat, ChatError, CODE, create, EVENT, TYPES };
export default Object.freeze({ create, EVENT, TYPES });
