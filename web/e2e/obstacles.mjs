// What stands in a person's way, or helps them over: a server that wants to know more, and a device that holds passkeys.

/** Refuses the page's next operation of the name with the code, once; the server never sees it. */
export async function refuseOnce(page, operation, code) {
  const errors = [{ message: 'refused by the test', extensions: { code } }];
  let refused = false;
  await page.route('**/graphql', async (route) => {
    if (refused || route.request().postDataJSON()?.operationName !== operation) return route.fallback();
    refused = true;
    return route.fulfill({ json: { data: null, errors } });
  });
}

/** Gives the page a device that makes and uses passkeys without asking anybody. */
export async function addAuthenticator(page) {
  const devtools = await page.context().newCDPSession(page);
  await devtools.send('WebAuthn.enable');
  await devtools.send('WebAuthn.addVirtualAuthenticator', {
    options: {
      protocol: 'ctap2',
      transport: 'internal',
      hasResidentKey: true,
      hasUserVerification: true,
      isUserVerified: true,
      automaticPresenceSimulation: true,
    },
  });
}
