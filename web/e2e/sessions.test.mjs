// Sessions as their owner and an administrator see them: how long they last, where they are, and who acts in them.
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
  socketOpen,
} from './browser.mjs';
import { mailbox } from './mailbox.mjs';
import { refuseOnce } from './obstacles.mjs';
import { startServer } from './server.mjs';
import { tapSocket } from './wire.mjs';

const ME = '{ me { user { name } session { remembered } impersonatedBy { by { name } readOnly } } }';
const timeout = 90_000;
const stamp = Date.now();
const ulla = { name: 'Ulla User', email: `ulla.${stamp}@example.com`, password: 'violet otter 48 lamps' };
const reason = 'Ticket 4711: her notes are empty';

describe('sessions', { timeout: 12 * timeout }, () => {
  let server;
  let browser;
  let admin; // name of the administrator
  let main; // Ulla's page

  // The steps build on each other, as in the test of the console.
  let broken = null;
  const step = (name, run) =>
    test(name, { timeout }, async (t) => {
      if (broken) return t.skip(`after the failure of: ${broken}`);
      broken = name;
      await run(main).catch(async (error) => {
        await screenshot(main.page, 'sessions-failure');
        throw error;
      });
      broken = null;
    });

  before(async () => {
    // A session for the day lasts a minute here, so that one can be seen to its end.
    server = await startServer({ BACKENDBOOK_SESSION_BRIEF: '1m' });
    browser = await openBrowser();
    main = await openPage(browser, server.url);
  });

  after(async () => {
    await browser?.close();
    await server?.stop();
  });

  const rows = (page) => page.getByTestId('panel-sessions').getByTestId('session');
  const activity = (page) => page.getByTestId('panel-activity').getByTestId('activity');
  const sessionCookie = async (context) => (await context.cookies()).find(({ name }) => name.endsWith('session'));
  const who = async (context) => (await ask(context, server.url, ME)).me;
  const rowOf = (page, { email }) => page.getByTestId('panel-users').getByTestId('user-row').filter({ hasText: email });
  const sameDocument = (page) => page.evaluate(() => globalThis.sameDocument === true);

  step('who confirms an address stays signed in beyond the day, unless they say otherwise', async ({ page, context }) => {
    await page.goto('/register');
    await register(page, ulla);
    const stay = page.getByRole('checkbox', { name: 'Stay signed in' });
    assert.equal(await stay.isChecked(), true, 'it is the default');
    const { code } = await mailbox(context, server.url).next(ulla.email, 'verify_email');
    await enterCode(page.getByTestId('verify-step'), code);
    await page.getByTestId('user').waitFor();
    assert.equal((await who(context)).session.remembered, true);
    const { expires } = await sessionCookie(context);
    assert.ok(expires > Date.now() / 1000 + 86_400, `the cookie ends at ${expires}`);
  });

  step('without the tick the cookie ends with the browser, also by the keyboard alone', async () => {
    const { page, context, offences } = await openPage(browser, server.url);
    await page.goto('/');
    await page.getByTestId('sign-in').locator('input[name=identifier]').fill(ulla.email);
    await page.getByTestId('sign-in').locator('input[name=password]').fill(ulla.password);
    const stay = page.getByRole('checkbox', { name: 'Stay signed in' });
    await stay.focus();
    await page.keyboard.press('Space');
    assert.equal(await stay.isChecked(), false);
    await screenshot(page, 'sign-in-for-the-day');
    await page.keyboard.press('Enter');
    await page.getByTestId('user').waitFor();
    assert.equal((await who(context)).session.remembered, false);
    assert.equal((await sessionCookie(context)).expires, -1);
    await signOut(page);
    assert.deepEqual(offences, []);
    await context.close();
  });

  step('the list of sessions and the activity follow what another browser does', async ({ page }) => {
    await page.goto('/security');
    await socketOpen(page);
    await rows(page).filter({ hasText: 'This session' }).getByTestId('lasting').getByText('stays signed in').waitFor();
    assert.equal(await rows(page).count(), 1);
    await page.evaluate(() => (globalThis.sameDocument = true));

    const other = await openPage(browser, server.url);
    await other.page.goto('/');
    await signIn(other.page, ulla);
    const away = rows(page).filter({ hasNotText: 'This session' });
    await away.waitFor();
    await activity(page).first().getByText('Signed in').waitFor();
    await screenshot(page, 'sessions-live');

    // What it is called and that it is gone are news, too.
    await ask(other.context, server.url, 'mutation { signOut { ended } }');
    await away.waitFor({ state: 'detached' });
    await activity(page).first().getByText('Session ended').waitFor();
    assert.equal(await sameDocument(page), true, 'it took a reload');
    assert.deepEqual(other.offences, []);
    await other.context.close();
  });

  step('an administrator acts as somebody, looking only, and is told so on every page', async ({ page: ullas }) => {
    const { page, context, offences } = await openPage(browser, server.url);
    await page.goto('/people');
    await signIn(page, server);
    admin = (await who(context)).user.name;

    await rowOf(page, ulla).getByRole('button', { name: `Act as ${ulla.name}` }).click();
    const dialog = page.getByTestId('act-as');
    assert.equal(await dialog.getByRole('switch', { name: 'Look only' }).isChecked(), true);
    await dialog.getByLabel('Why').fill('because');
    await dialog.getByRole('button', { name: 'Begin' }).click();
    await dialog.getByText('At least 10 characters').waitFor();
    await dialog.getByLabel('Why').fill(reason);
    await screenshot(page, 'act-as');
    await dialog.getByRole('button', { name: 'Begin' }).click();

    const banner = page.getByTestId('impersonation');
    await banner.getByText(`${admin} acts as ${ulla.name}`).waitFor();
    await banner.getByText('looking only').waitFor();
    await banner.getByText(reason).waitFor();
    await page.getByRole('button', { name: `Signed in as ${ulla.name}` }).waitFor();
    await socketOpen(page);
    assert.deepEqual(await who(context), {
      user: { name: ulla.name },
      session: { remembered: false },
      impersonatedBy: { by: { name: admin }, readOnly: true },
    });
    for (const path of ['/documents', '/explorer', '/access', '/mailbox']) {
      await page.goto(path);
      await banner.waitFor();
    }

    // Its owner sees it happen.
    const acted = rows(ullas).filter({ has: ullas.getByTestId('impersonated') });
    await acted.getByText('Somebody acting as you').waitFor();
    await activity(ullas).filter({ hasText: 'Impersonation begun' }).first().getByText('not by you').waitFor();
    await screenshot(ullas, 'sessions-impersonated');

    // What is the user's alone stays theirs.
    await page.goto('/security');
    await rows(page).getByRole('button', { name: /^Rename/ }).first().click();
    await page.getByTestId('rename-session').getByRole('button', { name: 'Rename', exact: true }).click();
    await page.getByTestId('rename-session').locator('[data-code=IMPERSONATION_FORBIDDEN]').getByText('You act as somebody else').waitFor();
    await page.keyboard.press('Escape');

    await screenshot(page, 'impersonation', { fullPage: true });
    await page.getByTestId('scheme').click();
    await page.locator('html[data-mantine-color-scheme=dark]').waitFor();
    await page.setViewportSize(phone);
    await screenshot(page, 'impersonation-phone-dark');
    const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    assert.ok(wide <= 0, `the page is ${wide} px wider than the phone`);
    await page.setViewportSize(desktop);

    await banner.getByRole('button', { name: 'Be yourself again' }).click();
    await page.getByRole('button', { name: `Signed in as ${admin}` }).waitFor();
    await page.getByTestId('flash').getByText('You are yourself again').waitFor();
    await page.getByTestId('people').waitFor();
    assert.equal(await banner.count(), 0);
    await socketOpen(page);
    await acted.waitFor({ state: 'detached' });
    await activity(ullas).filter({ hasText: 'Impersonation ended' }).first().waitFor();

    // What was left to be said was said once.
    await page.reload();
    await page.getByTestId('people').waitFor();
    assert.equal(await page.getByTestId('flash').count(), 0);
    assert.deepEqual(offences, []);
    await context.close();
  });

  step('to act as somebody wants a fresh proof, and they can end it', async ({ page: ullas }) => {
    const { page, context, offences } = await openPage(browser, server.url);
    const tab = await context.newPage();
    await page.goto('/people');
    await signIn(page, server);
    await tab.goto('/people');
    await tab.getByTestId('people').waitFor();

    await refuseOnce(page, 'Impersonate', 'REAUTH_REQUIRED');
    await rowOf(page, ulla).getByRole('button', { name: `Act as ${ulla.name}` }).click();
    const dialog = page.getByTestId('act-as');
    await dialog.getByLabel('Why').fill(reason);
    await dialog.getByRole('switch', { name: 'Look only' }).click();
    await dialog.getByRole('button', { name: 'Begin' }).click();
    const reauth = page.getByTestId('reauth');
    await reauth.getByTestId('step-up').getByText('your password').waitFor();
    await screenshot(page, 'step-up');
    await reauth.locator('input[name=password]').fill(server.password);
    await reauth.getByRole('button', { name: 'Continue' }).click();
    await page.getByTestId('impersonation').getByText('may change things').waitFor();
    // The cookie is one for all tabs: none may show the administrator's pages and act as somebody else.
    await tab.getByTestId('impersonation').waitFor();

    const acted = rows(ullas).filter({ has: ullas.getByTestId('impersonated') });
    await acted.getByRole('button', { name: /^Sign out/ }).click();
    await ullas.getByRole('dialog').getByRole('button', { name: 'Sign out', exact: true }).click();
    await page.getByTestId('sign-in').getByText(`You act as ${ulla.name} no more`).waitFor();
    await acted.waitFor({ state: 'detached' });
    assert.deepEqual(offences, []);
    await context.close();
  });

  step('an administrator sees where somebody is signed in, and ends it', async ({ page: ullas }) => {
    const { page, context, offences } = await openPage(browser, server.url);
    await page.goto('/people');
    await signIn(page, server);
    await rowOf(page, ulla).getByRole('button', { name: `Sessions of ${ulla.name}` }).click();
    const dialog = page.getByTestId('user-sessions');
    await dialog.getByTestId('session').first().waitFor();
    await screenshot(page, 'user-sessions');
    await dialog.getByTestId('session').first().getByRole('button', { name: /^Sign out/ }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Sign out', exact: true }).click();
    await dialog.getByText('Signed in nowhere').waitFor();
    await ullas.getByTestId('sign-in').getByText('it was signed out').waitFor();
    await screenshot(ullas, 'ended-elsewhere');
    assert.deepEqual(offences, []);
    await context.close();
  });

  test('a warning of the end leads to signing in and back, and using the session puts off the end of an idle one', { timeout }, async () => {
    const { page, context, offences } = await openPage(browser, server.url);
    const wire = await tapSocket(page);
    await page.goto('/documents?type=note');
    await signIn(page, ulla);
    await socketOpen(page);
    const notice = page.getByTestId('expiry');
    const soon = () => ({ code: 'SESSION_EXPIRING', expiresAt: new Date(Date.now() + 50_000).toISOString() });

    wire.ping(soon());
    await notice.getByText(/Your session ends at \d\d:\d\d:\d\d\./).waitFor();
    await screenshot(page, 'expiry');
    await notice.getByRole('button', { name: 'Stay signed in' }).click();
    await notice.waitFor({ state: 'detached' });

    wire.ping(soon());
    await notice.getByRole('button', { name: 'Sign in again' }).click();
    assert.equal(new URL(page.url()).pathname, '/sign-in');
    await enterPassword(page, ulla);
    await page.getByTestId('documents').waitFor();
    const { pathname, search } = new URL(page.url());
    assert.equal(pathname + search, '/documents?type=note');
    await socketOpen(page);
    assert.equal(await notice.count(), 0);

    // A ping that only asks for a sign of life says nothing.
    wire.ping(undefined);
    assert.equal(await notice.count(), 0);
    assert.deepEqual(offences, []);
    await context.close();
  });

  test('a session for the day warns of its end, and at it the page leads to the way in', {
    timeout: 2 * timeout,
    skip: process.env.BASE_URL ? 'the server has settings of its own' : false,
  }, async () => {
    const { page, context, offences } = await openPage(browser, server.url);
    await page.goto('/documents?type=note');
    await page.getByRole('checkbox', { name: 'Stay signed in' }).uncheck();
    await signIn(page, ulla);
    await socketOpen(page);
    const notice = page.getByTestId('expiry');
    await notice.getByText('Your session ends at').waitFor();
    // Its whole time is over: using it does not help.
    assert.equal(await notice.getByRole('button', { name: 'Stay signed in' }).count(), 0);
    await page.getByTestId('sign-in').getByText('its time was over').waitFor({ timeout });
    assert.deepEqual(offences, []);
    await context.close();
  });

  test('nothing else happened: no console error, no refused content, no request to elsewhere', () => {
    assert.deepEqual(main.offences, []);
  });
});
