// Sends events to Backend Book: docs/analytics.md. Without consent they carry no id of anybody; where the browser asks not
// to be tracked (DNT, GPC) nothing is sent before consent.
(() => {
  const { src, dataset: { key } } = document.currentScript;
  const url = `${new URL(src).origin}/events?key=${key}`;
  const most = 100; // at once: a beacon takes 64 KiB
  const asked = navigator.doNotTrack === '1' || navigator.globalPrivacyControl;
  let queue = [];
  let sending, timer, given, failures = 0;

  const newID = () => [...crypto.getRandomValues(new Uint8Array(16))].map((b) => b.toString(36)).join('.');
  // A browser may forbid its stores: then nobody is known again.
  const tried = (f) => { try { return f(); } catch {} };
  const kept = (store, name) => tried(() => {
    const id = store().getItem(name) || newID();
    store().setItem(name, id);
    return id;
  });
  const local = () => localStorage;
  const session = () => sessionStorage;
  const agreed = () => given ?? tried(() => local().getItem('bb.consent')) === key;
  const body = (events) => events.map((e) => JSON.stringify(e)).join('\n');
  const later = (ms) => { timer ||= setTimeout(flush, ms); };

  async function flush() {
    clearTimeout(timer);
    timer = 0;
    if (sending || !queue.length) return;
    sending = true;
    const batch = queue.slice(0, most);
    let again = true;
    try { // text/plain, the default, needs no leave to cross origins
      const { status } = await fetch(url, { method: 'POST', credentials: 'omit', body: body(batch) });
      again = status === 429 || status >= 500;
    } catch {}
    sending = false;
    if (!again) queue = queue.filter((e) => !batch.includes(e));
    failures = again ? failures + 1 : 0;
    if (queue.length) later(again ? Math.min(1000 * 2 ** failures, 60000) * (0.5 + Math.random() / 2) : 0);
  }

  globalThis.bb = {
    // dims are texts to break it down by, values numbers.
    track(name, dims, values) {
      const yes = agreed();
      if ((asked && !yes) || queue.length >= 1000) return;
      queue.push({
        id: newID(), name, at: new Date(), dims, values, consent: yes ? 'GRANTED' : 'DENIED',
        actor: yes ? kept(local, 'bb.actor') : undefined, session: yes ? kept(session, 'bb.session') : undefined,
      });
      later(2000);
    },
    // The answer of who is here; a no forgets who they were.
    consent(yes) {
      given = yes;
      if (yes) return tried(() => local().setItem('bb.consent', key));
      tried(() => ['consent', 'actor'].forEach((n) => local().removeItem(`bb.${n}`)));
      tried(() => session().removeItem('bb.session'));
      queue = asked ? [] : queue.map((e) => ({ ...e, consent: 'DENIED', actor: undefined, session: undefined }));
    },
    flush,
  };

  // The page goes: what waits leaves without it, and again what is under way.
  addEventListener('pagehide', () => {
    while (queue.length && navigator.sendBeacon(url, body(queue.slice(0, most)))) queue.splice(0, most);
  });
})();
