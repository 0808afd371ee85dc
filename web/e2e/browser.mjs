// A browser that remembers all that must not happen: errors in its console, refused contents, requests to elsewhere.
import { mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { chromium } from 'playwright-core';

const results = join(dirname(fileURLToPath(import.meta.url)), '../test-results');
const patienceMs = 20_000;

/** The sizes the console must look good at. */
export const desktop = { width: 1280, height: 800 };
export const phone = { width: 390, height: 844 };

/** Opens Debian's Chromium. Nothing it does by itself may look like a request of the page. */
export async function openBrowser() {
  await mkdir(results, { recursive: true });
  return chromium.launch({
    executablePath: process.env.CHROMIUM || '/usr/bin/chromium',
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
      '--no-first-run',
    ],
  });
}

/** Opens a page in a context of its own. offences fills while the page lives. */
export async function openPage(browser, origin, options = {}) {
  const context = await browser.newContext({ viewport: desktop, colorScheme: 'light', baseURL: origin, ...options });
  context.setDefaultTimeout(patienceMs);
  const offences = [];
  await context.exposeBinding('reportViolation', (_, text) => offences.push(text));
  await context.addInitScript(() => {
    addEventListener('securitypolicyviolation', (e) => {
      globalThis.reportViolation(`policy ${e.violatedDirective}: ${e.blockedURI || 'inline'} in ${e.sourceFile}`);
    });
  });
  context.on('request', (request) => {
    const url = new URL(request.url());
    if (/^(http|ws)s?:$/.test(url.protocol) && url.host !== new URL(origin).host) offences.push(`request to ${url.href}`);
  });
  context.on('response', (response) => {
    if (response.status() >= 400) offences.push(`${response.status()} for ${response.url()}`);
  });
  // Also of the tabs that the page opens.
  context.on('page', (page) => {
    page.on('websocket', (socket) => {
      if (new URL(socket.url()).host !== new URL(origin).host) offences.push(`socket to ${socket.url()}`);
    });
    page.on('pageerror', (error) => offences.push(`uncaught: ${error.stack ?? error.message}`));
    page.on('console', (message) => {
      if (['error', 'warning'].includes(message.type())) offences.push(`console ${message.type()}: ${message.text()}`);
    });
  });
  const page = await context.newPage();
  return { context, page, offences };
}

/** Signs in through the page, and waits for the dashboard's numbers. */
export async function signIn(page, { email, password }) {
  await enterPassword(page, { email, password });
  await page.getByTestId('user').waitFor();
}

/** Gives name and password, whatever comes of it. */
export async function enterPassword(page, { email, password }) {
  const form = page.getByTestId('sign-in');
  await form.locator('input[name=identifier]').fill(email);
  await form.locator('input[name=password]').fill(password);
  await form.getByRole('button', { name: 'Sign in' }).click();
}

/** Signs out through the page. */
export async function signOut(page) {
  await page.getByTestId('user').click();
  await page.getByTestId('sign-out').click();
  await page.getByTestId('sign-in').waitFor();
}

/** Asks for an account through the page, which then waits for the code of the mail. */
export async function register(page, { name, email, password }) {
  const form = page.getByTestId('register');
  await form.locator('input[name=name]').fill(name);
  await form.locator('input[name=email]').fill(email);
  if (password) await form.locator('input[name=new-password]').fill(password);
  else await form.getByRole('button', { name: 'Go without a password' }).click();
  await form.getByRole('button', { name: 'Create account' }).click();
  await page.getByTestId('verify-step').waitFor();
}

/** Types a code of a mail or an app and sends it. */
export async function enterCode(within, code) {
  await within.locator('input[name=code]').fill(code);
  await within.locator('form').filter({ has: within.page().locator('input[name=code]') }).locator('button[type=submit]').click();
}

/** Asks the server behind the page's back, as the same user. */
export async function ask(context, origin, query, input) {
  const answer = await context.request.post('/graphql', { data: { query, variables: { input } }, headers: { origin } });
  const { data, errors } = await answer.json();
  if (errors) throw new Error(`${query}: ${JSON.stringify(errors)}`);
  return data;
}

/** Waits until the page's socket is open. */
export async function socketOpen(page) {
  await page.locator('[data-testid=socket][data-phase=open]').waitFor();
}

/** Waits until the text of the element differs from before, and gives it. */
export async function changed(locator, before) {
  const element = await locator.elementHandle();
  await locator.page().waitForFunction(([e, b]) => e.textContent !== b, [element, before]);
  return locator.textContent();
}

/** Saves what the page shows once its fonts and animations have come to rest. */
export async function screenshot(page, name, options = {}) {
  await page.evaluate(() => {
    scrollTo(0, 0);
    return document.fonts.ready;
  });
  await page.screenshot({ path: join(results, `${name}.png`), animations: 'disabled', ...options });
}
