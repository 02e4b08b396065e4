// Certificates as somebody makes them by hand: an authority of one's own, and a receiver's certificate that it has signed.
// X.509 in DER, of the few parts that a TLS server needs.

import { createHash, generateKeyPairSync, randomBytes, sign } from 'node:crypto';

/** `{ca, cert, key}`, all in PEM: the authority, and a certificate of `names` with its key. */
export function receiverCertificate(names = ['localhost']) {
  const authority = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const receiver = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const [ours, theirs] = ['The team that wrote the receiver', 'The receiver'];
  const isAuthority = extension('551d13', sequence(boolean(true)), true);
  const alternativeNames = extension('551d11', sequence(...names.map((name) => tagged(0x82, Buffer.from(name)))));
  return {
    ca: certificate({ subject: ours, issuer: ours, of: authority, by: authority, extensions: [isAuthority] }),
    cert: certificate({ subject: theirs, issuer: ours, of: receiver, by: authority, extensions: [alternativeNames] }),
    key: receiver.privateKey.export({ type: 'pkcs8', format: 'pem' }),
  };
}

function certificate({ subject, issuer, of, by, extensions }) {
  const algorithm = sequence(oid('2a8648ce3d040302'));
  const key = of.publicKey.export({ type: 'spki', format: 'der' });
  const keyName = createHash('sha256').update(key).digest().subarray(0, 20);
  const content = sequence(
    tagged(0xa0, integer(Buffer.from([2]))),
    integer(Buffer.concat([Buffer.from([1]), randomBytes(15)])),
    algorithm,
    named(issuer),
    sequence(time(-86_400_000), time(30 * 86_400_000)),
    named(subject),
    key,
    tagged(0xa3, sequence(extension('551d0e', octets(keyName)), ...extensions)),
  );
  const signature = sign('sha256', content, by.privateKey);
  return pem(sequence(content, algorithm, tagged(0x03, Buffer.concat([Buffer.from([0]), signature]))));
}

function tagged(tag, content) {
  const { length } = content;
  const long = length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from([tag, ...(length < 0x80 ? [length] : long)]), content]);
}

const sequence = (...parts) => tagged(0x30, Buffer.concat(parts));
const integer = (bytes) => tagged(0x02, bytes);
const octets = (bytes) => tagged(0x04, bytes);
const boolean = (value) => tagged(0x01, Buffer.from([value ? 0xff : 0]));
const oid = (hex) => tagged(0x06, Buffer.from(hex, 'hex'));
const named = (name) => sequence(tagged(0x31, sequence(oid('550403'), tagged(0x0c, Buffer.from(name)))));

function extension(id, content, isCritical = false) {
  return sequence(oid(id), ...(isCritical ? [boolean(true)] : []), octets(content));
}

/** That many milliseconds from now. */
function time(from_now_ms) {
  const digits = new Date(Date.now() + from_now_ms).toISOString().replace(/[-:T]/g, '').slice(2, 14);
  return tagged(0x17, Buffer.from(`${digits}Z`));
}

function pem(der) {
  const lines = der.toString('base64').match(/.{1,64}/g);
  return ['-----BEGIN CERTIFICATE-----', ...lines, '-----END CERTIFICATE-----', ''].join('\n');
}
