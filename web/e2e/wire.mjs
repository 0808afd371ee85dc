// Stands between the page and the server's socket, and does to it what networks do.

const nothing = () => false;

/** Taps the socket of the page, which is not open yet. */
export async function tapSocket(page) {
  let socket;
  let lost = nothing;
  let subscribed = nothing;

  await page.routeWebSocket('**/graphql', (opened) => {
    socket = opened;
    const server = opened.connectToServer();
    opened.onMessage((text) => {
      if (JSON.parse(text).type === 'subscribe') subscribed();
      server.send(text);
    });
    server.onMessage((text) => {
      const message = JSON.parse(text).payload?.data?.live;
      if (!message || !lost(message)) return opened.send(text);
      lost = nothing;
    });
  });

  return {
    /** Swallows the next message that matches. */
    loseNext(matches) {
      lost = matches;
    },
    /** Waits for an operation that begins from now on. */
    nextSubscription: () =>
      new Promise((resolve) => {
        subscribed = resolve;
      }),
    /** Pings the page as the server would. */
    ping: (payload) => socket.send(JSON.stringify({ type: 'ping', payload })),
    /** Closes the socket as the server would. */
    close: (code, reason) => socket.close({ code, reason }),
  };
}
