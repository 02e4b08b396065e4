// UserSigs (TLSSigAPIv2), as an app backend makes them.

import { createHmac } from 'node:crypto';
import { deflateSync } from 'node:zlib';

const VALID_S = 86_400;

export function userSig(sdkappid, secretKey, user, now_s = Math.floor(Date.now() / 1000)) {
  const signed = `TLS.identifier:${user}\nTLS.sdkappid:${sdkappid}\nTLS.time:${now_s}\nTLS.expire:${VALID_S}\n`;
  const claim = {
    'TLS.ver': '2.0',
    'TLS.identifier': user,
    'TLS.sdkappid': sdkappid,
    'TLS.time': now_s,
    'TLS.expire': VALID_S,
    'TLS.sig': createHmac('sha256', secretKey).update(signed).digest('base64'),
  };
  const letters = { '+': '*', '/': '-', '=': '_' };
  return deflateSync(JSON.stringify(claim))
    .toString('base64')
    .replace(/[+/=]/g, (letter) => letters[letter]);
}
