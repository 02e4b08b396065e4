// One message: a bubble, or the notice that stands in its place after a recall.

import { element, icon } from './element.js';
import { pictureOf, recallNotice, wordsOf } from './message-text.js';
import { errorText, text } from './text.js';
import { clockTime, machineTime } from './time.js';

const LINK = /https?:\/\/[^\s<>"'，。！？；：、）】》]+[^\s<>"'.,!?;:)\]，。！？；：、）】》]/g;

/** All that decides how a message looks. While it stays the same, its element stays untouched. */
export function lookOf(message, conversation, place) {
  const { status, isRevoked, isPeerRead, isModified, time, payload } = message;
  const failure = conversation.failureOf(message)?.code;
  const notRecalled = conversation.recallErrorOf(message)?.code;
  const recallable = conversation.isRecallable(message);
  const words = conversation.wordsOf(message);
  return JSON.stringify([
    status,
    isRevoked,
    isPeerRead,
    isModified,
    time,
    payload,
    failure,
    notRecalled,
    recallable,
    words,
    place,
  ]);
}

/** The content of a message's list item. `does` has what its buttons do: recall, sendAgain, writeAgain. */
export function messageContent(message, { account, conversation, clock, does }) {
  if (message.isRevoked) return [recalled(message, { account, conversation, does })];
  const own = message.flow === 'out';
  const sender = own ? text('you') : account.nameOf(message.from);
  const line = element('div', { class: 'line' });
  if (conversation.isRecallable(message)) line.append(clock.button(message, () => does.recall(message)));
  line.append(element('div', { class: 'bubble' }, hidden(`${sender}: `), ...body(message), about(message, own)));
  return [line, ...troubles(message, conversation, does)];
}

function body(message) {
  const address = pictureOf(message);
  if (address) return [element('img', { src: address, alt: wordsOf(message), loading: 'lazy', class: 'picture' })];
  return [element('span', { class: 'words', dir: 'auto' }, ...withLinks(wordsOf(message)))];
}

/** Time and read mark, at the end of the bubble. */
function about(message, own) {
  const edited = message.isModified ? element('span', { class: 'edited' }, text('edited')) : null;
  const time = element('time', { datetime: machineTime(message.time) }, clockTime(message.time));
  return element('span', { class: 'about' }, edited, time, own ? mark(message) : null);
}

function mark(message) {
  const state = stateOf(message);
  if (state === 'failed') return null;
  return element('span', { class: `mark ${state}`, title: text(state) }, icon(state), hidden(text(state)));
}

function stateOf(message) {
  if (message.status === 'fail') return 'failed';
  if (message.status === 'unSend') return 'sending';
  return message.isPeerRead ? 'read' : 'sent';
}

/** What went wrong, and what can be done about it. */
function troubles(message, conversation, does) {
  const found = [];
  if (message.status === 'fail') {
    const again = element(
      'button',
      { class: 'again', type: 'button', onclick: () => does.sendAgain(message) },
      text('sendAgain'),
    );
    found.push(trouble(text('notSent', why(conversation.failureOf(message))), again));
  }
  const notRecalled = conversation.recallErrorOf(message);
  if (notRecalled) found.push(trouble(text('notRecalled', errorText(notRecalled))));
  return found;
}

function why(failure) {
  return failure ? errorText(failure) : '';
}

function trouble(words, ...buttons) {
  return element('p', { class: 'trouble' }, icon('failed'), element('span', {}, words), ...buttons);
}

function recalled(message, { account, conversation, does }) {
  const words = conversation.wordsOf(message);
  const again = words
    ? element('button', { class: 'again', type: 'button', onclick: () => does.writeAgain(words) }, text('writeAgain'))
    : null;
  const time = element('time', { datetime: machineTime(message.time) }, clockTime(message.time));
  return element(
    'p',
    { class: 'ghost' },
    icon('recalled'),
    element('span', {}, recallNotice(message, account)),
    time,
    again,
  );
}

function withLinks(words) {
  const parts = [];
  let end = 0;
  for (const { 0: address, index } of words.matchAll(LINK)) {
    parts.push(
      words.slice(end, index),
      element('a', { href: address, target: '_blank', rel: 'noopener noreferrer' }, address),
    );
    end = index + address.length;
  }
  return [...parts, words.slice(end)];
}

function hidden(words) {
  return element('span', { class: 'unseen' }, words);
}
