// The development mailbox, read behind the page's back, and the codes of an authenticator app.
import { createHmac } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';

import { ask } from './browser.mjs';

const MAILBOX = '{ mailbox(first: 50) { nodes { id to template text } } }';
const patienceMs = 10_000;

/** Gives the mails of a server that keeps them, each once. */
export function mailbox(context, origin) {
  const seen = new Set();
  return {
    /** Waits for the newest mail to the address by the template, and gives its code and link. */
    async next(to, template) {
      for (const until = Date.now() + patienceMs; Date.now() < until; await sleep(100)) {
        const { nodes } = (await ask(context, origin, MAILBOX)).mailbox;
        const mail = nodes.find((m) => m.to === to && m.template === template && !seen.has(m.id));
        if (!mail) continue;
        seen.add(mail.id);
        return { code: /^\s*(\d{6})\s*$/m.exec(mail.text)?.[1], link: /https?:\/\/\S+/.exec(mail.text)?.[0], text: mail.text };
      }
      throw new Error(`no mail ${template} to ${to}`);
    },
  };
}

const stepMs = 30_000;

/** An authenticator app with the seed: codes by RFC 6238. Each code counts once, so it gives none twice. */
export function authenticator(secret) {
  const key = base32(secret);
  let last = 0;
  return {
    async next() {
      const step = Math.max(Math.floor(Date.now() / stepMs), last + 1);
      last = step;
      // The server accepts a code one step early.
      await sleep(Math.max(0, (step - 1) * stepMs - Date.now()));
      return hotp(key, step);
    },
  };
}

function hotp(key, counter) {
  const message = Buffer.alloc(8);
  message.writeBigUInt64BE(BigInt(counter));
  const mac = createHmac('sha1', key).update(message).digest();
  const code = mac.readUInt32BE(mac.at(-1) & 0xf) & 0x7fffffff;
  return String(code % 1_000_000).padStart(6, '0');
}

function base32(text) {
  const bits = [...text.replace(/[\s=]/g, '').toUpperCase()]
    .map((c) => 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'.indexOf(c).toString(2).padStart(5, '0'))
    .join('');
  return Buffer.from((bits.match(/.{8}/g) ?? []).map((byte) => Number.parseInt(byte, 2)));
}
