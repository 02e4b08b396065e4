// The chat page: logs in, puts the views together, and says in the title and to screen readers what is new.
//
// It is built on the public API of the SDK alone, keeps nothing outside this window, and loads nothing from elsewhere but the
// pictures that messages and profiles name.

import { Account, CONNECTION } from './account.js';
import * as credentials from './credentials.js';
import { element, icon } from './element.js';
import { recallNotice, wordsOf } from './message-text.js';
import { LANGUAGES, chooseLanguage, currentLanguage, languageTag, text } from './text.js';
import { ConversationView } from './view-conversation.js';
import { ListView, avatar } from './view-list.js';
import { kickedView, loginView, mark, waitingView } from './view-login.js';

const SPOKEN_MAX = 5;
/** Long enough to be read out; nobody looks there later. */
const SPOKEN_MS = 10_000;
const page = document.getElementById('page');
const spoken = document.getElementById('spoken');

/** The account that is logged in, and the views on it. */
let account = null;
let list = null;
let open = null;
/** Builds the present screen again, in another language. */
let again = () => {};

function start() {
  const found = credentials.takeFromAddress() ?? credentials.kept();
  if (found) logIn(found);
  else showLogin();
  addEventListener('hashchange', changeAccount);
  addEventListener('popstate', (event) => showPeer(event.state?.peer ?? null));
  addEventListener('keydown', onEscape);
  document.addEventListener('visibilitychange', () => {
    if (open && document.visibilityState === 'visible') open.conversation.markRead();
  });
}

async function logIn(found) {
  show(() => waitingView(found.userID));
  const entering = new Account(found);
  try {
    await entering.logIn();
  } catch (error) {
    await entering.logOut();
    credentials.forget();
    showLogin({ filled: found, error });
    return;
  }
  credentials.keep(found);
  account = entering;
  account.addEventListener('kicked', ({ detail }) => showKicked(detail));
  account.addEventListener('refused', ({ detail }) => showRefused(detail));
  account.addEventListener('connection', showConnection);
  account.addEventListener('conversations', showTitle);
  account.addEventListener('announce', ({ detail }) => announce(detail));
  show(accountView);
}

async function logOut() {
  credentials.forget();
  await leave();
  showLogin();
}

/** Another link in this window's address bar is another account. */
async function changeAccount() {
  const found = credentials.takeFromAddress();
  if (!found) return;
  await leave();
  logIn(found);
}

async function leave() {
  const left = account;
  closeViews();
  account = null;
  spoken.replaceChildren();
  history.replaceState(null, '');
  await left?.logOut();
}

function closeViews() {
  open?.view.close();
  list?.close();
  open = list = null;
}

function showLogin(begun = {}) {
  show(() => loginView({ ...begun, onLogin: logIn }));
  page.querySelector("input[value='']")?.focus();
}

function showKicked(type) {
  const { credentials: found, user } = account;
  credentials.forget();
  leave();
  show(() => kickedView(type, user, { onAgain: () => logIn(found), onOther: () => showLogin() }));
  page.querySelector('button.main, button.plain')?.focus();
}

/** The server does not take the session back after a break. */
function showRefused(error) {
  const { credentials: filled } = account;
  credentials.forget();
  leave();
  showLogin({ filled, error });
}

/** The whole screen, and the switch of languages that belongs to each. */
function show(build) {
  again = () => {
    document.documentElement.lang = languageTag();
    const made = build();
    if (!made.classList.contains('app')) made.append(languageSwitch());
    page.replaceChildren(made);
    showTitle();
  };
  again();
}

function accountView() {
  const peer = open?.conversation.peer ?? history.state?.peer ?? null;
  closeViews();
  list = new ListView(account, { onOpen: openConversation });
  const banner = element('p', { class: 'banner', hidden: true }, text('disconnected'));
  const side = element('div', { class: 'side' }, accountBar(), list.element);
  const nothing = element('div', { class: 'nothing' }, mark(), element('p', {}, text('nothingOpen')));
  const title = element('h1', { class: 'unseen' }, `${account.user} · Unsaid`);
  const app = element('main', { class: 'app' }, title, banner, side, nothing);
  queueMicrotask(() => {
    showConnection();
    showPeer(peer);
  });
  return app;
}

function accountBar() {
  const leaveButton = element(
    'button',
    { class: 'quiet', type: 'button', 'aria-label': text('logOut'), title: text('logOut'), onclick: logOut },
    icon('leave'),
  );
  const name = element('p', { class: 'title' }, account.user);
  return element('header', { class: 'bar' }, avatar(account.user, account), name, languageSwitch(), leaveButton);
}

function languageSwitch() {
  const other = currentLanguage() === 'en' ? 'zh' : 'en';
  const onclick = () => {
    chooseLanguage(other);
    again();
    page.querySelector('.language').focus();
  };
  return element('button', { class: 'quiet language', type: 'button', lang: other, onclick }, LANGUAGES[other]);
}

/** Opens from the list. One step in the window's history, so that "back" of a phone leads to the list. */
function openConversation(peer) {
  if (open) history.replaceState({ peer }, '');
  else history.pushState({ peer }, '');
  showPeer(peer);
  open.conversation.open();
}

function showPeer(peer) {
  if (!account || !list) return;
  const left = open?.conversation.peer;
  open?.view.close();
  open = null;
  const app = page.querySelector('.app');
  app.classList.toggle('in-conversation', peer !== null);
  list.mark(peer);
  if (peer === null) {
    if (left) list.focus(left);
    return;
  }
  const conversation = account.conversation(peer);
  const view = new ConversationView(account, conversation, { onBack: closeConversation });
  open = { conversation, view };
  app.append(view.element);
  view.begin();
}

function closeConversation() {
  if (history.state?.peer) history.back();
  else showPeer(null);
}

function onEscape(event) {
  if (event.key !== 'Escape' || event.isComposing || !open) return;
  event.preventDefault();
  closeConversation();
}

/** While there is no connection; attempts to get it back, one after the other, are not news. */
function showConnection() {
  const banner = page.querySelector('.banner');
  const connected = account?.connection === CONNECTION.connected;
  if (!banner || !account || banner.hidden === connected) return;
  banner.hidden = connected;
  say(text(connected ? 'connected' : 'disconnected'));
}

function showTitle() {
  const unread = account?.unread > 0 ? `(${account.unread}) ` : '';
  document.title = account ? `${unread}${account.user} · Unsaid` : 'Unsaid';
}

function announce({ received, recalled }) {
  if (recalled) {
    // What was taken back must not be found there any more.
    spoken.replaceChildren();
    say(recallNotice(recalled, account));
  }
  if (received)
    say(
      text(
        'saidBy',
        account.nameOf(received.from),
        received.isRevoked ? recallNotice(received, account) : wordsOf(received),
      ),
    );
}

function say(words) {
  const one = element('p', {}, words);
  spoken.append(one);
  while (spoken.childElementCount > SPOKEN_MAX) spoken.firstElementChild.remove();
  setTimeout(() => one.remove(), SPOKEN_MS);
}

start();
