// Plans as somebody who pays sees them, and as an administrator does: a preview, an upgrade, usage that moves, the catalogue.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { ask, changed, desktop, enterCode, openBrowser, openPage, phone, register, screenshot, signIn } from './browser.mjs';
import { mailbox } from './mailbox.mjs';
import { startServer } from './server.mjs';

const CREATE = 'mutation($input: CreateDocumentInput!) { createDocument(input: $input) { document { id } } }';
const BEHAVE = 'mutation($input: SetPaymentBehaviorInput!) { setPaymentBehavior(input: $input) { behavior } }';

const timeout = 60_000;

describe('plans', { timeout: 14 * timeout }, () => {
  let server;
  let browser;
  let user;
  let admin;
  let broken = null;
  const step = (name, run) =>
    test(name, { timeout }, async (t) => {
      if (broken) return t.skip(`after the failure of: ${broken}`);
      broken = name;
      await run().catch(async (error) => {
        await screenshot(user.page, 'plans-failure');
        await screenshot(admin.page, 'plans-failure-admin');
        throw error;
      });
      broken = null;
    });
  const confirm = async (page) => {
    const dialog = page.getByTestId('preview');
    await dialog.getByTestId('preview-body').waitFor();
    await dialog.getByRole('button', { name: 'Confirm' }).click();
    await dialog.waitFor({ state: 'detached' });
  };
  const choose = (page, name) => page.getByRole('article', { name, exact: true }).getByRole('button').click();

  before(async () => {
    server = await startServer();
    browser = await openBrowser();
    user = await openPage(browser, server.url);
    admin = await openPage(browser, server.url);
    await admin.page.goto('/');
    await signIn(admin.page, server);
    await user.page.goto('/plan');
    await user.page.getByRole('button', { name: 'Create an account' }).click();
    const email = `paula.${Date.now()}@example.com`;
    await register(user.page, { name: 'Paula Payer', email, password: 'violet otter 48 lamps' });
    const mail = await mailbox(user.context, server.url).next(email, 'verify_email');
    await enterCode(user.page.getByTestId('verify-step'), mail.code);
  });

  after(async () => {
    await browser?.close();
    await server?.stop();
  });

  step('who begins is on the free plan, and sees what else there is', async () => {
    const { page } = user;
    await page.getByTestId('plan-current').getByText('Free').waitFor();
    const pro = page.getByTestId('plan-pro');
    await pro.getByText('€19 a month').waitFor();
    await pro.getByText('14 days of trial, once').waitFor();
    await page.getByRole('radio', { name: 'Yearly' }).locator('..').click();
    await pro.getByText('€190 a year').waitFor();
    await page.getByRole('radio', { name: 'Monthly' }).locator('..').click();
    await page.getByTestId('has-support').getByText('Support: Forum').waitFor();
    await page.getByText('Nothing was charged yet').waitFor();
    await screenshot(page, 'plan', { fullPage: true });
  });

  step('usage moves without a reload, and says why', async () => {
    const { page, context } = user;
    const usage = page.getByTestId('usage-registry.documents');
    const used = usage.getByTestId('used');
    assert.equal(await used.textContent(), '0 of 20');
    await ask(context, server.url, CREATE, { type: 'note', data: { text: 'It counts.' } });
    assert.equal(await changed(used, '0 of 20'), '1 of 20');
    await usage.getByRole('button', { name: /^Why/ }).click();
    await usage.getByTestId('why').getByText(/The plan Free \(version \d+\) allows 20\./).waitFor();
  });

  step('an upgrade is previewed with a coupon, and taken', async () => {
    const { page } = user;
    await choose(page, 'Basic');
    const dialog = page.getByTestId('preview');
    await dialog.getByText('It comes at once').waitFor();
    await dialog.getByTestId('preview-due').getByText('€9 to pay now').waitFor();
    await dialog.locator('input[name=coupon]').fill('nothing-like-it');
    await dialog.getByRole('button', { name: 'Use the coupon' }).click();
    await dialog.locator('[data-code=COUPON_INVALID]').waitFor();
    await dialog.locator('input[name=coupon]').fill('welcome');
    await dialog.getByRole('button', { name: 'Use the coupon' }).click();
    await dialog.getByTestId('preview-due').getByText('€4.50 to pay now').waitFor();
    await screenshot(page, 'plan-preview');
    await confirm(page);
    await page.getByTestId('plan-current').getByText('Basic').waitFor();
    await page.getByTestId('usage-registry.documents').getByText('1 of 200').waitFor();
  });

  step('the ledger has the invoice and its payment', async () => {
    const { page, context } = user;
    const ledger = page.getByTestId('panel-ledger');
    await ledger.getByTestId('ledger-entry').nth(1).waitFor();
    await ledger.getByText('−€4.50').first().waitFor();
    const links = ledger.getByRole('link', { name: /^Invoice/ });
    const paths = await links.evaluateAll((all) => all.map((a) => a.getAttribute('href')));
    assert.match(paths[0] ?? '', /^\/invoices\/.*\.html$/);
    assert.match(paths[1] ?? '', /^\/invoices\/.*\.pdf$/);
    const invoice = await context.request.get(paths[0]);
    assert.match(await invoice.text(), /Paula Payer/);
    const pdf = await context.request.get(paths[1]);
    assert.equal(pdf.headers()['content-type'], 'application/pdf');
  });

  step('an add-on is bought, and let end', async () => {
    const { page } = user;
    await page.getByRole('button', { name: 'Buy 100 more documents' }).click();
    await page.getByTestId('preview').getByTestId('lines').waitFor();
    await confirm(page);
    await page.getByTestId('usage-registry.documents').getByText('1 of 300').waitFor();
    const mine = page.getByTestId('my-addon');
    await mine.getByRole('button', { name: 'End 100 more documents' }).click();
    await page.getByRole('button', { name: 'End', exact: true }).last().click();
    await mine.getByText('ends on').waitFor();
  });

  step('what is paid is canceled, and resumed', async () => {
    const { page } = user;
    const panel = page.getByTestId('panel-plan');
    await panel.getByRole('button', { name: 'Cancel at the end' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Cancel at the end' }).click();
    await panel.getByTestId('plan-status').getByText('Ends soon').waitFor();
    await screenshot(page, 'plan-canceled', { fullPage: true });
    await panel.getByRole('button', { name: 'Keep Basic' }).click();
    await panel.getByTestId('plan-status').getByText('Active').waitFor();
  });

  step('a payment that is declined is said, and one that has to be made first is made', async () => {
    const { page, context } = user;
    await ask(context, server.url, BEHAVE, { behavior: 'DECLINES' });
    await choose(page, 'Pro');
    const dialog = page.getByTestId('preview');
    await dialog.getByRole('radio', { name: 'Now' }).locator('..').click();
    await dialog.getByTestId('preview-body').waitFor();
    await dialog.getByRole('button', { name: 'Confirm' }).click();
    await dialog.locator('[data-code=PAYMENT_DECLINED]').getByText('The payment was declined.').waitFor();
    await screenshot(page, 'plan-declined');
    await dialog.getByRole('button', { name: 'Cancel' }).click();
    await dialog.waitFor({ state: 'detached' });
    await page.getByTestId('plan-current').getByText('Basic').waitFor();

    await ask(context, server.url, BEHAVE, { behavior: 'ASKS_PAYER' });
    await choose(page, 'Pro');
    await dialog.getByTestId('preview-body').waitFor();
    await dialog.getByRole('button', { name: 'Confirm' }).click();
    await dialog.getByTestId('checkout').getByRole('link', { name: 'Go to the payment' }).click();
    await page.getByTestId('pay').waitFor();
    await screenshot(page, 'pay');
    await page.getByRole('button', { name: 'Pay', exact: true }).click();
    await page.getByTestId('plan-current').getByText('Pro').waitFor();
  });

  step('a change of the catalogue is shown before it is made', async () => {
    const { page } = admin;
    await page.getByRole('link', { name: 'Plans', exact: true }).click();
    const editor = page.getByTestId('catalogue');
    const yaml = editor.locator('textarea[name=yaml]');
    const text = await yaml.inputValue();
    assert.match(text, /key: basic/);
    await yaml.fill(text.replace('limit: 200', 'limit: 250'));
    await editor.getByRole('button', { name: 'Show what would change' }).click();
    await editor.getByTestId('changes').getByText(/basic/).first().waitFor();
    await screenshot(page, 'plans-catalogue', { fullPage: true });
    await yaml.fill('plans: [{key: basic, colour: blue}]');
    await editor.getByRole('button', { name: 'Show what would change' }).click();
    await editor.locator('[data-code=BAD_USER_INPUT]').waitFor();
    await screenshot(page, 'plans-refused');
    await editor.getByRole('button', { name: 'As it was' }).click();
    assert.equal(await yaml.inputValue(), text);
  });

  step('a new version leaves its members where they are, until they are moved', async () => {
    const { page } = admin;
    const editor = page.getByTestId('catalogue');
    const yaml = editor.locator('textarea[name=yaml]');
    await yaml.fill((await yaml.inputValue()).replace(/limit: 1000\n/g, 'limit: 1100\n'));
    await editor.getByRole('button', { name: 'Show what would change' }).click();
    await editor.getByTestId('changes').waitFor();
    await editor.getByRole('button', { name: 'Apply' }).click();
    await editor.getByText(/made\.$/).waitFor();
    const versions = page.getByTestId('versions');
    await versions.getByRole('button', { name: 'Delete Pro, version 1' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click();
    await versions.locator('[data-code=PLAN_IN_USE]').getByText('1 member is on it. Move them first.').waitFor();
    await versions.getByRole('button', { name: /^Move members to the current version of Pro$/ }).click();
    const dialog = page.getByTestId('migrate');
    await dialog.getByText('Paula Payer').waitFor();
    await screenshot(page, 'plans-migrate');
    await dialog.getByRole('button', { name: 'Cancel' }).click();
    await dialog.waitFor({ state: 'detached' });
  });

  step('a membership is found, opened and given more', async () => {
    const { page } = admin;
    await page.getByRole('tab', { name: 'Members' }).click();
    await page.getByRole('button', { name: 'Open Paula Payer' }).click();
    const member = page.getByTestId('membership');
    await member.getByTestId('plan-current').getByText('Pro').waitFor();
    await member.getByTestId('ledger-entry').first().waitFor();
    await member.getByRole('button', { name: 'Make an exception' }).click();
    const form = page.getByTestId('override');
    await form.getByRole('combobox', { name: 'Feature' }).fill('Documents');
    await page.getByRole('option', { name: 'Documents', exact: true }).click();
    await form.locator('input[name=limit]').fill('5000');
    await form.locator('input[name=reason]').fill('A friend of the house');
    await form.getByRole('button', { name: 'Make it' }).click();
    await form.waitFor({ state: 'detached' });
    await member.getByTestId('overrides').getByText('Documents: 5,000').waitFor();
    // Who it was given to sees it at once.
    await user.page.getByTestId('usage-registry.documents').getByText(/of 5,[01]00/).waitFor();
    await screenshot(page, 'plans-member');
  });

  step('somebody is put on hold, and reads why', async () => {
    const { page } = admin;
    const member = page.getByTestId('membership');
    await member.getByRole('button', { name: 'Put on hold' }).click();
    const form = page.getByTestId('pause');
    await form.locator('input[name=reason]').fill('a question about the invoice');
    await form.getByRole('button', { name: 'Put on hold' }).click();
    await form.waitFor({ state: 'detached' });
    await member.getByTestId('plan-status').getByText('On hold').waitFor();
    await user.page.getByText('On hold: A question about the invoice.').waitFor();
    await member.getByRole('button', { name: 'End the hold' }).click();
    await user.page.getByTestId('plan-status').getByText('Active').waitFor();
  });

  step('a payment is given back, and the clock is moved', async () => {
    const { page } = admin;
    const member = page.getByTestId('membership');
    await member.getByRole('button', { name: 'Give back' }).first().click();
    const form = page.getByTestId('refund');
    await form.locator('input[name=amount]').fill('1.50');
    await form.locator('input[name=reason]').fill('Goodwill');
    await form.getByRole('button', { name: 'Give back' }).click();
    await form.waitFor({ state: 'detached' });
    await member.getByText('Given back').first().waitFor();
    await user.page.getByTestId('panel-ledger').getByText('Given back').waitFor();
    await member.getByRole('button', { name: 'To the end of the period' }).click();
    await user.page.getByText('The clock of this membership was moved').waitFor();
    await screenshot(page, 'plans-member-clock');
  });

  step('all of it is dark on demand, and fits a phone', async () => {
    for (const [{ page }, path, ready, name] of [
      [user, '/plan', 'panel-ledger', 'plan'],
      [admin, '/plans', 'versions', 'plans'],
      [admin, '/plans?tab=members', 'members', 'plans-members'],
    ]) {
      await page.emulateMedia({ colorScheme: 'dark' });
      await page.goto(path);
      await page.getByTestId(ready).waitFor();
      await screenshot(page, `${name}-dark`, { fullPage: true });
      await page.setViewportSize(phone);
      await screenshot(page, `${name}-phone-dark`, { fullPage: true });
      const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      assert.ok(wide <= 0, `${path} is ${wide} px too wide`);
      await page.setViewportSize(desktop);
      await page.emulateMedia({ colorScheme: 'light' });
    }
  });

  test('nothing was reported that must not happen', () => {
    assert.deepEqual([...user.offences, ...admin.offences], []);
  });
});
