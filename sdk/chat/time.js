// Times as people read them.

import { languageTag, text } from './text.js';

/** "14:02" */
export function clockTime(time_s) {
  return format(time_s, { hour: '2-digit', minute: '2-digit' });
}

/** "Today", "Yesterday", "Tuesday, 3 March", with the year where it is another one. */
export function dayName(time_s) {
  const [day, now] = [new Date(time_s * 1000), new Date()];
  if (sameDay(day, now)) return text('today');
  if (sameDay(day, new Date(now.getFullYear(), now.getMonth(), now.getDate() - 1))) return text('yesterday');
  const year = day.getFullYear() === now.getFullYear() ? undefined : 'numeric';
  return format(time_s, { weekday: 'long', day: 'numeric', month: 'long', year });
}

/** For the list of conversations: a time today, a day before that. */
export function listTime(time_s) {
  if (!time_s) return '';
  const [day, now] = [new Date(time_s * 1000), new Date()];
  if (sameDay(day, now)) return clockTime(time_s);
  const age_days = (now - day) / 86_400_000;
  return age_days < 6 ? format(time_s, { weekday: 'short' }) : format(time_s, { day: 'numeric', month: 'short' });
}

/** What `datetime` of a `time` element wants. */
export function machineTime(time_s) {
  return new Date(time_s * 1000).toISOString();
}

export function isSameDay(one_s, other_s) {
  return sameDay(new Date(one_s * 1000), new Date(other_s * 1000));
}

/** "1:43" */
export function minutesAndSeconds(left_s) {
  const whole_s = Math.max(0, Math.ceil(left_s));
  return `${Math.floor(whole_s / 60)}:${String(whole_s % 60).padStart(2, '0')}`;
}

function format(time_s, how) {
  return new Intl.DateTimeFormat(languageTag(), how).format(time_s * 1000);
}

function sameDay(one, other) {
  return one.toDateString() === other.toDateString();
}
