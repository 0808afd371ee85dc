// Every way in, in a real browser on the real server, and what keeps others out.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import {
  ask,
  desktop,
  enterCode,
  enterPassword,
  openBrowser,
  openPage,
  phone,
  register,
  screenshot,
  signIn,
  signOut,
} from './browser.mjs';
import { authenticator, mailbox } from './mailbox.mjs';
import { addAuthenticator, refuseOnce } from './obstacles.mjs';
import { startServer } from './server.mjs';

const ME = '{ me { user { id kind name email } permissions } }';
const timeout = 90_000;
const stamp = Date.now();
const vera = { name: 'Vera Visitor', email: `vera.${stamp}@example.com`, password: 'violet otter 48 lamps' };

describe('ways in', { timeout: 14 * timeout }, () => {
  let server;
  let browser;
  let main;
  let mails;
  let app;
  let recoveryCodes;

  // The steps on the one page build on each other, as in the test of the console.
  let broken = null;
  const step = (name, run) =>
    test(name, { timeout }, async (t) => {
      if (broken) return t.skip(`after the failure of: ${broken}`);
      broken = name;
      await run(main).catch(async (error) => {
        await screenshot(main.page, 'auth-failure');
        throw error;
      });
      broken = null;
    });

  before(async () => {
    server = await startServer();
    browser = await openBrowser();
    main = await openPage(browser, server.url);
    mails = mailbox(main.context, server.url);
  });

  after(async () => {
    await browser?.close();
    await server?.stop();
  });

  /** Proves with the factor, which may not be the one that is asked for first. */
  const choose = async (within, kind, name) => {
    const factor = within.getByTestId('factor');
    await factor.waitFor();
    if ((await factor.getAttribute('data-factor')) !== kind) await factor.getByRole('button', { name, exact: true }).click();
    return factor;
  };
  const proveByApp = async (page) => enterCode(await choose(page, 'TOTP', 'Authenticator app'), await app.next());
  const proveByPasskey = async (within) => {
    const factor = await choose(within, 'PASSKEY', 'Passkey');
    await factor.getByRole('button', { name: 'Use a passkey' }).click();
  };
  const proveByRecovery = async (page, code) => {
    const factor = await choose(page, 'RECOVERY_CODE', 'Recovery code');
    await factor.locator('input[name=recoveryCode]').fill(code);
    await factor.getByRole('button', { name: 'Continue' }).click();
  };

  step('an account begins with the code of a mail, which the development mailbox shows', async ({ page, context }) => {
    await page.goto('/');
    await page.getByRole('button', { name: 'Create an account' }).click();
    await screenshot(page, 'register');
    await register(page, vera);
    await enterCode(page.getByTestId('verify-step'), '000000');
    await page.locator('[data-code=TICKET_INVALID]').waitFor();
    await screenshot(page, 'verify');

    const opened = context.waitForEvent('page');
    await page.getByRole('link', { name: 'Open the development mailbox' }).click();
    const box = await opened;
    const mail = box.getByTestId('mail').filter({ hasText: vera.email }).first();
    const code = /^\s*(\d{6})\s*$/m.exec(await mail.getByTestId('mail-text').textContent())[1];
    await screenshot(box, 'mailbox');
    await mail.getByText('HTML', { exact: true }).click();
    await mail.frameLocator('iframe').getByText(code).first().waitFor();
    await screenshot(box, 'mailbox-html');
    await box.close();

    await enterCode(page.getByTestId('verify-step'), code);
    await page.getByTestId('user').waitFor();
    const { me } = await ask(context, server.url, ME);
    assert.deepEqual([me.user.kind, me.user.email], ['PERSON', vera.email]);
  });

  step('one signs out, and in again with the password', async ({ page }) => {
    await signOut(page);
    await signIn(page, vera);
  });

  step('the link of the mail does nothing until a person says so, and leaves no secret in the address bar', async () => {
    const { page, context, offences } = await openPage(browser, server.url);
    const luke = { name: 'Luke Link', email: `luke.${stamp}@example.com` };
    await page.goto('/register');
    await register(page, luke);
    const { link } = await mails.next(luke.email, 'verify_email');
    const tab = await context.newPage();
    await tab.goto(link);
    await tab.getByTestId('verify').getByText('Confirm and sign in').waitFor();
    assert.equal(tab.url(), `${server.url}/verify`);
    assert.equal((await ask(context, server.url, ME)).me, null, 'opening the link signed somebody in');
    await screenshot(tab, 'verify-link');
    await tab.getByRole('button', { name: 'Confirm and sign in' }).click();
    await tab.getByTestId('user').waitFor();
    assert.equal((await ask(context, server.url, ME)).me.user.name, luke.name);
    assert.deepEqual(offences, []);
    await context.close();
  });

  step('in another browser the link wants the password', async () => {
    const otto = { name: 'Otto Other', email: `otto.${stamp}@example.com`, password: 'amber lynx 73 clouds' };
    const here = await openPage(browser, server.url);
    await here.page.goto('/register');
    await register(here.page, otto);
    const { link } = await mails.next(otto.email, 'verify_email');
    await here.context.close();

    const { page, context, offences } = await openPage(browser, server.url);
    await page.goto(link);
    await page.getByTestId('verify').locator('input[name=password]').fill('not the password');
    await page.getByRole('button', { name: 'Confirm and sign in' }).click();
    await page.locator('[data-code=BAD_CREDENTIALS]').waitFor();
    await page.getByTestId('verify').locator('input[name=password]').fill(otto.password);
    await page.getByRole('button', { name: 'Confirm and sign in' }).click();
    await page.getByTestId('user').waitFor();
    assert.deepEqual(offences, []);
    await context.close();
  });

  step('an authenticator app is added, and the recovery codes are shown once', async ({ page }) => {
    await page.getByTestId('user').click();
    await page.getByRole('menuitem', { name: 'Security' }).click();
    await page.getByTestId('security').waitFor();
    await page.getByRole('button', { name: 'Add an authenticator app' }).click();
    const dialog = page.getByTestId('add-totp');
    app = authenticator(await dialog.getByTestId('totp-secret').textContent());
    await dialog.getByRole('img', { name: /QR code/ }).waitFor();
    await screenshot(page, 'add-totp');
    await enterCode(dialog, await app.next());
    const shown = page.getByTestId('recovery-codes');
    recoveryCodes = (await shown.getByTestId('codes').textContent()).trim().split(/\s+/);
    assert.equal(recoveryCodes.length, 10);
    await screenshot(page, 'recovery-codes');
    await shown.getByRole('button', { name: 'I have kept them' }).click();
    await page.getByTestId('factor-TOTP').waitFor();
    await page.getByTestId('codes-left').getByText('10 recovery codes').waitFor();
  });

  step('with it the password alone is not enough', async ({ page, context }) => {
    await signOut(page);
    await enterPassword(page, vera);
    await page.getByTestId('factor-step').waitFor();
    assert.equal((await ask(context, server.url, ME)).me, null, 'the password alone signed in');
    await screenshot(page, 'factor');
    await proveByApp(page);
    await page.getByTestId('user').waitFor();
  });

  step('a recovery code does in need, once', async ({ page }) => {
    const [first, second] = recoveryCodes;
    await signOut(page);
    await enterPassword(page, vera);
    await proveByRecovery(page, first.toLowerCase());
    await page.getByTestId('user').waitFor();

    await signOut(page);
    await enterPassword(page, vera);
    await proveByRecovery(page, first);
    await page.locator('[data-code=FACTOR_CODE_INVALID]').waitFor();
    await proveByRecovery(page, second);
    await page.getByTestId('user').waitFor();
  });

  step('a passkey is added, and lets in without name and password', async ({ page, context }) => {
    await addAuthenticator(page);
    await page.goto('/security');
    await page.getByRole('button', { name: 'Add a passkey' }).click();
    const dialog = page.getByTestId('add-passkey');
    await dialog.locator('input[name=factor-name]').fill('Test key');
    await dialog.getByRole('button', { name: 'Make the passkey' }).click();
    await page.getByTestId('factor-PASSKEY').getByText('Test key').waitFor();

    await signOut(page);
    await page.getByRole('button', { name: 'Sign in with a passkey' }).click();
    await page.getByTestId('user').waitFor();
    assert.equal((await ask(context, server.url, ME)).me.user.email, vera.email);
  });

  step('a passkey does as the second factor, too', async ({ page }) => {
    await signOut(page);
    await enterPassword(page, vera);
    await proveByPasskey(page);
    await page.getByTestId('user').waitFor();
  });

  step('a link by mail signs in, with the second factor', async ({ page }) => {
    await signOut(page);
    await page.getByRole('button', { name: 'Mail me a sign-in link' }).click();
    await page.locator('input[name=email]').fill(vera.email);
    await page.getByRole('button', { name: 'Send the mail' }).click();
    await page.getByTestId('mail-step').waitFor();
    await screenshot(page, 'mail-sign-in');
    const { link } = await mails.next(vera.email, 'sign_in');
    await page.goto(link);
    assert.equal(page.url(), `${server.url}/sign-in/link`);
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.getByTestId('factor-step').waitFor();
    await proveByApp(page);
    await page.getByTestId('user').waitFor();

    // It was good once.
    await signOut(page);
    await page.goto(link);
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.locator('[data-code=TICKET_INVALID]').waitFor();
  });

  step('a forgotten password is chosen anew, and signs nobody in by itself', async ({ page, context }) => {
    await page.goto('/');
    await page.getByRole('button', { name: 'Forgot your password?' }).click();
    await page.locator('input[name=email]').fill(vera.email);
    await page.getByRole('button', { name: 'Send the mail' }).click();
    const form = page.getByTestId('reset');
    await form.waitFor();
    const { code } = await mails.next(vera.email, 'reset_password');
    vera.password = 'crimson heron 91 tides';
    await form.locator('input[name=code]').fill(code);
    await form.locator('input[name=new-password]').fill(vera.password);
    await screenshot(page, 'reset');
    await form.getByRole('button', { name: 'Change password' }).click();
    const done = page.getByTestId('reset-done');
    await done.waitFor();
    assert.equal((await ask(context, server.url, ME)).me, null, 'a reset signed in');
    await done.getByRole('button', { name: 'Sign in' }).click();
    await enterPassword(page, vera);
    await page.getByTestId('factor-step').waitFor();
    await proveByApp(page);
    await page.getByTestId('user').waitFor();
  });

  step('what is sensitive asks who is there, and is then done', async ({ page }) => {
    await page.goto('/security');
    await refuseOnce(page, 'CreateAccessKey', 'REAUTH_REQUIRED');
    await page.getByTestId('panel-keys').getByRole('button', { name: 'New key' }).click();
    const form = page.getByTestId('create-key');
    await form.locator('input[name=key-name]').fill('Nightly export');
    await form.getByRole('combobox', { name: 'What it may do' }).click();
    await page.getByRole('option', { name: 'registry.document.read' }).click();
    await page.keyboard.press('Tab');
    await form.getByRole('button', { name: 'Make the key' }).click();

    const dialog = page.getByTestId('reauth');
    await dialog.getByTestId('factor').waitFor();
    await screenshot(page, 'reauth');
    await proveByPasskey(dialog);

    const token = (await page.getByTestId('key-made').getByTestId('token').textContent()).trim();
    assert.match(token, /^bbk_/);
    await page.getByRole('button', { name: 'I have kept it' }).click();
    const key = page.getByTestId('access-key').filter({ hasText: 'Nightly export' });
    await key.waitFor();

    const { me } = await byKey(server.url, token, ME);
    assert.deepEqual([me.user.name, me.permissions], [vera.name, ['registry.document.read']]);
    await key.getByRole('button', { name: 'Revoke Nightly export' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Revoke', exact: true }).click();
    await key.getByText('revoked').waitFor();
    await assert.rejects(byKey(server.url, token, ME));
  });

  step('an address is added by its code, made the primary one, and removed', async ({ page }) => {
    const second = `vera.two.${stamp}@example.com`;
    const panel = page.getByTestId('panel-emails');
    await panel.getByRole('button', { name: 'Add address' }).click();
    await page.getByTestId('add-email').locator('input[name=email]').fill(second);
    await page.getByRole('button', { name: 'Send the code' }).click();
    const { code } = await mails.next(second, 'confirm_address');
    await enterCode(page.getByTestId('confirm-email'), code);
    await panel.getByRole('button', { name: `Make ${second} primary` }).click();
    await panel.getByRole('button', { name: `Make ${vera.email} primary` }).click();
    await panel.getByRole('button', { name: `Remove ${second}` }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Remove', exact: true }).click();
    await panel.getByText(second).waitFor({ state: 'detached' });
  });

  step('the security page looks good, in the dark and on a phone', async ({ page }) => {
    await screenshot(page, 'security', { fullPage: true });
    await page.setViewportSize(phone);
    await page.getByTestId('scheme').click();
    await page.locator('html[data-mantine-color-scheme=dark]').waitFor();
    await screenshot(page, 'security-phone-dark', { fullPage: true });
    const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    assert.ok(wide <= 0, `the page is ${wide} px wider than the phone`);
    await page.getByTestId('scheme').click();
    await page.setViewportSize(desktop);
  });

  step('one sees where one is signed in, ends it from afar, and a trusted device asks for less', async ({ page }) => {
    const other = await openPage(browser, server.url);
    const there = other.page;
    await there.goto('/');
    await enterPassword(there, vera);
    await choose(there, 'TOTP', 'Authenticator app');
    await there.getByLabel('Do not ask again on this device').check();
    await screenshot(there, 'factor-trust');
    await proveByApp(there);
    await there.getByTestId('user').waitFor();
    await signOut(there);
    await signIn(there, vera);
    await there.evaluate(() => (globalThis.sameDocument = true));

    await page.reload();
    const sessions = page.getByTestId('panel-sessions').getByTestId('session');
    await sessions.nth(1).waitFor();
    assert.equal(await sessions.count(), 2);
    const here = sessions.filter({ hasText: 'This session' });
    const away = sessions.filter({ hasNotText: 'This session' });
    assert.deepEqual([await here.count(), await away.count()], [1, 1]);
    await away.getByRole('button', { name: /^Rename/ }).click();
    const dialog = page.getByTestId('rename-session');
    await dialog.locator('input[name=session-label]').fill('The other browser');
    await dialog.getByRole('button', { name: 'Rename', exact: true }).click();
    await away.getByText('The other browser').waitFor();
    const trusted = page.getByTestId('panel-devices').getByTestId('device').filter({ hasText: 'trusted until' });
    await trusted.waitFor();
    await screenshot(page, 'sessions', { fullPage: true });

    await away.getByRole('button', { name: 'Sign out The other browser' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Sign out', exact: true }).click();
    await there.getByTestId('sign-in').getByText('Your session has ended').waitFor();
    assert.equal(await there.evaluate(() => globalThis.sameDocument), true, 'it took a reload');
    await away.waitFor({ state: 'detached' });
    const activity = page.getByTestId('panel-activity').getByTestId('activity');
    await activity.first().getByText('Session ended').waitFor();
    await activity.first().getByText('by you').waitFor();
    assert.equal(await activity.count(), 10);
    await page.getByRole('button', { name: 'Show more' }).click();
    await activity.nth(10).waitFor();

    await trusted.getByRole('button', { name: /^Forget/ }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Forget', exact: true }).click();
    await trusted.waitFor({ state: 'detached' });
    await enterPassword(there, vera);
    await there.getByTestId('factor-step').waitFor();
    assert.deepEqual(other.offences, []);
    await other.context.close();
  });

  test('a guest looks around, and keeps id and all by registering', { timeout }, async () => {
    const { page, context, offences } = await openPage(browser, server.url);
    await page.goto('/');
    await page.getByRole('button', { name: 'Look around as a guest' }).click();
    await page.getByTestId('user').waitFor();
    const guest = (await ask(context, server.url, ME)).me.user;
    assert.equal(guest.kind, 'ANONYMOUS');
    await page.goto('/security');
    await screenshot(page, 'security-guest');
    await page.getByTestId('panel-guest').getByRole('link', { name: 'Register' }).click();
    const grace = { name: 'Grace Guest', email: `grace.${stamp}@example.com`, password: 'silver finch 26 roads' };
    await register(page, grace);
    const { code } = await mails.next(grace.email, 'verify_email');
    await enterCode(page.getByTestId('verify-step'), code);
    await page.getByRole('button', { name: `Signed in as ${grace.name}` }).waitFor();
    assert.deepEqual((await ask(context, server.url, ME)).me.user, { ...guest, kind: 'PERSON', name: grace.name, email: grace.email });
    assert.deepEqual(offences, []);
    await context.close();
  });

  test('an administrator invites, and the invitation leads in', { timeout }, async () => {
    const { page, context, offences } = await openPage(browser, server.url);
    await page.goto('/people');
    await signIn(page, server);
    await page.getByTestId('panel-users').getByTestId('user-row').first().waitFor();
    const email = `iris.${stamp}@example.com`;
    await page.getByTestId('panel-invitations').getByRole('button', { name: 'Invite', exact: true }).click();
    await page.getByTestId('invite').locator('input[name=email]').fill(email);
    await page.getByRole('button', { name: 'Send the invitation' }).click();
    await page.getByTestId('invitation').getByText(email).waitFor();
    await screenshot(page, 'people', { fullPage: true });
    await page.setViewportSize(phone);
    await screenshot(page, 'people-phone', { fullPage: true });
    const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    assert.ok(wide <= 0, `the page is ${wide} px wider than the phone`);

    const visitor = await openPage(browser, server.url);
    const { link } = await mails.next(email, 'invitation');
    await visitor.page.goto(link);
    assert.equal(visitor.page.url(), `${server.url}/register`);
    await visitor.page.getByText('You are invited').waitFor();
    await register(visitor.page, { name: 'Iris Invited', email, password: 'golden badger 55 hills' });
    const { code } = await mails.next(email, 'verify_email');
    await enterCode(visitor.page.getByTestId('verify-step'), code);
    await visitor.page.getByTestId('user').waitFor();
    await page.reload();
    await page.getByTestId('panel-invitations').getByText('Nobody is invited').waitFor();
    assert.deepEqual([...offences, ...visitor.offences], []);
    await context.close();
    await visitor.context.close();
  });

  step('who leaves is told how to come back', async ({ page }) => {
    await page.goto('/security');
    await page.getByTestId('panel-leave').getByRole('button', { name: 'Delete account' }).click();
    const form = page.getByTestId('delete-me');
    await form.locator('input[name=delete-email]').fill(vera.email);
    await form.getByRole('button', { name: 'Delete', exact: true }).click();
    await page.getByTestId('farewell').getByText('signing in keeps it').waitFor();
    await screenshot(page, 'farewell');
    await page.getByRole('button', { name: 'Sign in with a passkey' }).click();
    await page.getByRole('button', { name: 'Continue' }).click();
    await page.getByTestId('user').waitFor();
  });

  test('nothing else happened: no console error, no refused content, no request to elsewhere', () => {
    assert.deepEqual(main.offences, []);
  });
});

/** Asks as a program does: with a key, and nothing else. */
async function byKey(origin, token, query) {
  const headers = { 'content-type': 'application/json', authorization: `Bearer ${token}` };
  const answer = await fetch(`${origin}/graphql`, { method: 'POST', headers, body: JSON.stringify({ query }) });
  const { data, errors } = await answer.json();
  if (errors || !data.me) throw new Error(`${query}: ${JSON.stringify(errors)}`);
  return data;
}
