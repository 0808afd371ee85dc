// The cookie is one for all tabs of a browser: when one signs in, out or begins to act as somebody else, the others must know.

/** What a tab tells the others, and hears from them; never from itself. */
export interface Tabs {
  /** Tells that who is signed in may have changed. */
  tell(): void;
  /** Calls listener whenever another tab has told so, until the answer is called. */
  hear(listener: () => void): () => void;
  close(): void;
}

/** Joins the tabs of this browser. */
export function joinTabs(): Tabs {
  const channel = new BroadcastChannel('bb:session');
  return {
    tell: () => channel.postMessage(null),
    hear(listener) {
      const heard = () => listener();
      channel.addEventListener('message', heard);
      return () => channel.removeEventListener('message', heard);
    },
    close: () => channel.close(),
  };
}
