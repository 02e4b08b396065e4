// What the console does beyond its forms and links, all of which work without this: times in the reader's own zone, live
// parts, settings checked while they are typed, copying. Texts are set as text, and markup comes from this server alone.

'use strict';

localise(document);
document.querySelectorAll('[data-live]').forEach(keepLive);
document.querySelectorAll('form[data-check]').forEach(checkWhileTyping);
document.querySelectorAll('[data-copy]').forEach(offerCopy);
document.querySelector('[data-focus]')?.focus({ preventScroll: true });

/** Moments are rendered in UTC; here they are shown as the reader's clock has them, and in UTC when pointed at. */
function localise(part) {
  const today = new Date().toDateString();
  for (const element of part.querySelectorAll('time')) {
    const moment = new Date(element.dateTime);
    const time = moment.toLocaleTimeString('en-GB', { hour12: false });
    const ms = String(moment.getMilliseconds()).padStart(3, '0');
    const day = moment.toLocaleDateString('en-GB', { day: 'numeric', month: 'short', year: 'numeric' });
    element.title = element.textContent;
    element.textContent = moment.toDateString() === today ? `${time}.${ms}` : `${day}, ${time}`;
  }
}

/** Asks for the part anew every few seconds while the page is seen. It waits while somebody is in it: focus never moves. */
function keepLive(part) {
  const pause_ms = Number(part.dataset.live) * 1000;
  const said = document.querySelector('[data-live-said]');
  const news = document.querySelector('[data-live-news]');
  const url = new URL(location.href);
  url.searchParams.set('fragment', '1');
  url.hash = '';
  const say = (text) => {
    if (said && said.textContent !== text) said.textContent = text;
  };
  let isLooking = false;
  const look = async () => {
    if (document.hidden || isLooking) return;
    if (part.contains(document.activeElement) || isSelected(part)) return say('Live, and waiting while you read here.');
    isLooking = true;
    try {
      const response = await fetch(url, { credentials: 'same-origin' });
      if (response.redirected) return location.reload();
      if (!response.ok) throw new Error(response.statusText);
      const fresh = await response.text();
      // What came while somebody went in is thrown away.
      if (part.contains(document.activeElement)) return;
      const before = newest(part);
      part.innerHTML = fresh;
      localise(part);
      say('Live: new ones come by themselves.');
      if (news && newest(part) > before) news.textContent = 'New deliveries have come.';
      else if (news) news.textContent = '';
    } catch {
      say('The server does not answer; it is asked again.');
    } finally {
      isLooking = false;
    }
  };
  say('Live: new ones come by themselves.');
  setInterval(look, pause_ms);
  document.addEventListener('visibilitychange', look);
}

function newest(part) {
  return Number(part.querySelector('[data-newest]')?.dataset.newest ?? 0);
}

function isSelected(part) {
  const selection = getSelection();
  return !selection.isCollapsed && part.contains(selection.anchorNode);
}

/** Asks the server what it would say to the form, without saving, when the typing pauses. */
function checkWhileTyping(form) {
  const said = form.querySelector('[data-check-said]');
  let timer = null;
  let latest = 0;
  const show = ({ field, message }) => {
    for (const input of form.querySelectorAll('[id^="field-"]')) {
      const wrong = input.name === field ? message : '';
      const line = document.getElementById(`wrong-${input.name}`);
      if (line.textContent !== wrong) line.textContent = wrong;
      if (wrong) input.setAttribute('aria-invalid', 'true');
      else input.removeAttribute('aria-invalid');
    }
    said.textContent = message ? (field ? 'This cannot be saved yet.' : message) : 'This can be saved.';
  };
  const check = async () => {
    const mine = ++latest;
    try {
      const body = new URLSearchParams(new FormData(form));
      const response = await fetch(form.dataset.check, { method: 'POST', body, credentials: 'same-origin' });
      if (response.redirected) return location.reload();
      // An answer to what was typed before says nothing any more.
      if (response.ok && mine === latest) show(await response.json());
    } catch {
      said.textContent = '';
    }
  };
  form.addEventListener('input', () => {
    clearTimeout(timer);
    timer = setTimeout(check, 350);
  });
}

/** Where the browser lets a page write to the clipboard. */
function offerCopy(button) {
  if (!navigator.clipboard) return;
  button.hidden = false;
  button.addEventListener('click', async () => {
    await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent);
    button.textContent = 'Copied';
  });
}
