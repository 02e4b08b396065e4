// UserSigs (TLSSigAPIv2), as an app backend makes them.

import { createHmac } from 'node:crypto';
import { deflateSync } from 'node:zlib';

export function userSig(sdkappid, secretKey, user, expire_s = 86_400, now_s = Math.floor(Date.now() / 1000)) {
  const signed = `TLS.identifier:${user}\nTLS.sdkappid:${sdkappid}\nTLS.time:${now_s}\nTLS.expire:${expire_s}\n`;
  const claim = {
    'TLS.ver': '2.0',
    'TLS.identifier': user,
    'TLS.sdkappid': sdkappid,
    'TLS.time': now_s,
    'TLS.expire': expire_s,
    'TLS.sig': createHmac('sha256', secretKey).update(signed).digest('base64'),
  };
  const letters = { '+': '*', '/': '-', '=': '_' };
  return deflateSync(JSON.stringify(claim))
    .toString('base64')
    .replace(/[+/=]/g, (letter) => letters[letter]);
}
