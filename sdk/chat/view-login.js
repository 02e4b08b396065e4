// What stands in the page while nobody is logged in: the form, the wait, and why a session has ended.

import { KICKED } from './account.js';
import { element } from './element.js';
import { errorText, text } from './text.js';

/** The form. `filled` is what it begins with, `error` why the last attempt failed. */
export function loginView({ filled, error, onLogin }) {
  const problem = element('p', { class: 'problem', role: 'alert' }, error ? errorText(error) : '');
  const fields = [
    field('appNumber', { name: 'sdkappid', inputmode: 'numeric', value: filled?.SDKAppID ?? '' }),
    field('userId', { name: 'userid', autocapitalize: 'none', value: filled?.userID ?? '' }),
    field('userSig', { name: 'usersig', autocapitalize: 'none', value: '' }),
  ];
  const form = element(
    'form',
    { class: 'card' },
    element('h1', {}, mark(), 'Unsaid'),
    element('p', { class: 'tagline' }, text('tagline')),
  );
  form.append(
    ...fields,
    problem,
    element('button', { class: 'main', type: 'submit' }, text('logIn')),
    element('p', { class: 'hint' }, text('loginHint')),
  );
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    const credentials = credentialsOf(new FormData(form));
    if (credentials) onLogin(credentials);
    else problem.textContent = text('appNumberWrong');
  });
  return element('main', { class: 'centre' }, form);
}

export function waitingView(user) {
  const words = element('p', { role: 'status' }, text('loggingIn', user));
  return element('main', { class: 'centre' }, element('div', { class: 'card waiting' }, mark(), words));
}

/** Why the session has ended, and the way on. */
export function kickedView(type, user, { onAgain, onOther }) {
  const other = element('button', { class: 'plain', type: 'button', onclick: onOther }, text('someoneElse'));
  const again = element('button', { class: 'main', type: 'button', onclick: onAgain }, text('useHere'));
  const canReturn = type !== KICKED.expired && type !== KICKED.byBackend;
  const card = element(
    'div',
    { class: 'card', role: 'alertdialog', 'aria-labelledby': 'kicked-title', 'aria-describedby': 'kicked-why' },
    element('h1', { id: 'kicked-title' }, mark(), text('kickedTitle')),
    element('p', { id: 'kicked-why' }, kickedWhy(type, user)),
    canReturn ? again : null,
    other,
  );
  return element('main', { class: 'centre' }, card);
}

/** The page's sign: something that was said, and is only an outline now. */
export function mark() {
  return element('span', { class: 'logo', 'aria-hidden': 'true' });
}

function kickedWhy(type, user) {
  if (type === KICKED.expired) return text('kickedExpired');
  if (type === KICKED.byBackend) return text('kickedByBackend');
  return text('kickedElsewhere', user);
}

function credentialsOf(form) {
  const said = (name) => String(form.get(name)).trim();
  const SDKAppID = Number(said('sdkappid'));
  if (!Number.isSafeInteger(SDKAppID) || SDKAppID <= 0) return null;
  return { SDKAppID, userID: said('userid'), userSig: said('usersig') };
}

function field(label, attributes) {
  const input = element('input', { required: true, autocomplete: 'off', spellcheck: 'false', ...attributes });
  return element('label', {}, element('span', {}, text(label)), input);
}
