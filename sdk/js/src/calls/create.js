// Messages that are not sent yet. They have their ID from the beginning, and can be shown at once.

import { object, text } from '../arguments.js';
import { ChatError, CODE, notPartOfUnsaid, wrongArgument } from '../errors.js';
import { elementOf, payloadOf } from '../model/elements.js';
import { newMessage } from '../model/message.js';
import { TYPES } from '../types.js';

const DEFAULTS = {
  [TYPES.MSG_CUSTOM]: { data: '', description: '', extension: '' },
  [TYPES.MSG_FACE]: { index: 0, data: '' },
  [TYPES.MSG_LOCATION]: { description: '' },
};

const CHECKS = {
  [TYPES.MSG_TEXT]: ({ text: content }) => typeof content === 'string' || 'payload.text has to be a text',
  [TYPES.MSG_CUSTOM]: ({ data, description, extension }) =>
    [data, description, extension].every((one) => typeof one === 'string') ||
    'payload.data, description and extension have to be texts: use JSON.stringify for more',
  [TYPES.MSG_FACE]: ({ index }) => Number.isInteger(index) || 'payload.index has to be a whole number',
  [TYPES.MSG_LOCATION]: ({ latitude, longitude }) =>
    [latitude, longitude].every(Number.isFinite) || 'payload.latitude and longitude have to be numbers',
  [TYPES.MSG_IMAGE]: ({ imageInfoArray }) =>
    (Array.isArray(imageInfoArray) && imageInfoArray.length > 0 && imageInfoArray.every(({ url }) => isUrl(url))) ||
    'payload.imageInfoArray has to hold the url of each size',
  [TYPES.MSG_AUDIO]: ({ url }) => isUrl(url) || 'payload.url has to be where the audio is',
  [TYPES.MSG_VIDEO]: ({ videoUrl }) => isUrl(videoUrl) || 'payload.videoUrl has to be where the video is',
  [TYPES.MSG_FILE]: ({ fileUrl }) => isUrl(fileUrl) || 'payload.fileUrl has to be where the file is',
};

/** A message of one element, of a type whose payload is known. */
export function createMessage(core, type, options) {
  checkOptions(options);
  const payload = { ...DEFAULTS[type], ...object(options.payload, 'payload') };
  if ('file' in payload) {
    throw notPartOfUnsaid('uploading', 'store the file yourself, and pass its URL in the payload');
  }
  const checked = CHECKS[type](payload);
  if (checked !== true) throw wrongArgument(checked);
  return create(core, options, [elementOf(type, payload)]);
}

/** A message that says the same as another. */
export function createForwardMessage(core, options) {
  checkOptions(options);
  const { elements, isRevoked } = object(options.payload, 'payload');
  if (!Array.isArray(elements) || elements.length === 0 || isRevoked) {
    throw wrongArgument('payload has to be the Message to forward, and it must not be recalled');
  }
  return create(core, { cloudCustomData: options.payload.cloudCustomData, ...options }, structuredClone(elements));
}

/** A message of any elements, as the REST API writes them. */
export function createElementMessage(core, options) {
  checkOptions(options);
  const { elements } = options;
  if (!Array.isArray(elements) || elements.length === 0)
    throw wrongArgument('elements has to be an array of at least one');
  for (const element of elements) {
    text(object(element, 'each element').MsgType, 'MsgType of each element');
    object(element.MsgContent, 'MsgContent of each element');
  }
  return create(core, options, structuredClone(elements));
}

function checkOptions(options) {
  text(object(options, 'the argument').to, 'to');
  const { conversationType = TYPES.CONV_C2C, cloudCustomData = '' } = options;
  if (conversationType === TYPES.CONV_SYSTEM)
    throw new ChatError(CODE.SYSTEM_CONVERSATION, 'Unsaid has no system conversation');
  if (conversationType !== TYPES.CONV_C2C)
    throw notPartOfUnsaid(`conversationType ${conversationType}`, 'it has no groups');
  if (typeof cloudCustomData !== 'string')
    throw wrongArgument('cloudCustomData has to be a text: use JSON.stringify for more');
}

function create(core, options, elements) {
  const { store, session, clock } = core;
  if (!session.ready) throw new ChatError(CODE.NOT_LOGGED_IN, 'log in first: a message needs to know whom it is from');
  const clientTime = session.serverTime_s;
  const random = clock.random32();
  const ID = `${store.accountNumber}-${clientTime}-${random}`;
  const { nick, face_url } = store.profile;
  const message = Object.assign(newMessage({ ID, from: store.self, to: options.to, self: store.self }), {
    elements,
    type: elements[0].MsgType,
    payload: payloadOf(elements[0]),
    time: clientTime,
    clientTime,
    random,
    nick,
    avatar: face_url,
    cloudCustomData: options.cloudCustomData ?? '',
    needReadReceipt: options.needReadReceipt === true,
    isSupportExtension: options.isSupportExtension === true,
    priority: options.priority ?? TYPES.MSG_PRIORITY_NORMAL,
  });
  return store.messages.addOwn(message).message;
}

function isUrl(value) {
  return typeof value === 'string' && value !== '';
}
