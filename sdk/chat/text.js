// What the page says, in English and Chinese.
//
// The language is the browser's until the reader switches; the choice stays in this window. A test holds that both
// languages have the same texts.

import { CHINESE } from './text-zh.js';
import { ENGLISH } from './text-en.js';

const CHOICE = 'unsaid.language';
const TEXTS = { en: ENGLISH, zh: CHINESE };

let language = sessionStorage.getItem(CHOICE) ?? (navigator.language.toLowerCase().startsWith('zh') ? 'zh' : 'en');

export const LANGUAGES = { en: 'English', zh: '中文' };

export function currentLanguage() {
  return language;
}

/** The tag for `lang` attributes and for the browser's formats of dates and numbers. */
export function languageTag() {
  return language === 'zh' ? 'zh-CN' : navigator.language.startsWith('en') ? navigator.language : 'en';
}

export function chooseLanguage(chosen) {
  language = chosen;
  sessionStorage.setItem(CHOICE, chosen);
}

export function text(name, ...values) {
  const said = TEXTS[language][name];
  return typeof said === 'function' ? said(...values) : said;
}

/** What an error of the SDK or the server means for the reader, and what to do next. */
export function errorText(error) {
  const code = Number(error?.code);
  const said = TEXTS[language].errors[code];
  if (said) return said;
  if (code >= 120001 && code <= 130000 && error.message) return error.message;
  if (code >= 70001 && code <= 70020) return text('userSigRefused', code);
  return text('otherError', Number.isFinite(code) ? code : '', error?.message ?? '');
}
