// Roles as an administrator sees them: the graph, changes tried before they are made, somebody's rights, and why.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { ask, desktop, openBrowser, openPage, phone, screenshot, signIn } from './browser.mjs';
import { startServer } from './server.mjs';

const timeout = 60_000;

describe('roles', { timeout: 6 * timeout }, () => {
  let server;
  let browser;
  let main;
  let broken = null;
  const step = (name, run) =>
    test(name, { timeout }, async (t) => {
      if (broken) return t.skip(`after the failure of: ${broken}`);
      broken = name;
      await run(main).catch(async (error) => {
        await screenshot(main.page, 'roles-failure');
        throw error;
      });
      broken = null;
    });
  const save = async (page) => {
    const dialog = page.getByTestId('try-change');
    await dialog.getByRole('button', { name: 'Save' }).click();
    await dialog.waitFor({ state: 'detached' });
  };

  before(async () => {
    server = await startServer();
    browser = await openBrowser();
    main = await openPage(browser, server.url);
    await main.page.goto('/');
    await signIn(main.page, server);
  });

  after(async () => {
    await browser?.close();
    await server?.stop();
  });

  step('the graph shows what includes what', async ({ page }) => {
    await page.getByRole('link', { name: 'Roles' }).click();
    const graph = page.getByTestId('role-graph');
    await graph.getByRole('button', { name: /^Operations/ }).click();
    const role = page.getByTestId('role');
    await role.getByText('registry.type.write').first().waitFor();
    await role.getByText('analyst').first().waitFor();
    await screenshot(page, 'roles', { fullPage: true });
  });

  step('a new role is tried, and then made', async ({ page }) => {
    await page.getByRole('button', { name: 'New role' }).click();
    const form = page.getByTestId('new-role');
    await form.locator('input[name=name]').fill('Auditor');
    await form.locator('input[name=key]').fill('auditor');
    await form.getByRole('combobox', { name: 'Permissions' }).fill('account.user.read');
    await page.getByRole('option', { name: 'account.user.read' }).click();
    await page.keyboard.press('Tab');
    await form.getByRole('button', { name: 'Try it' }).click();
    await page.getByTestId('try-change').getByText('Nobody gains or loses anything').waitFor();
    await save(page);
    await page.getByTestId('role-graph').getByRole('button', { name: /^Auditor/ }).waitFor();
  });

  step('who gains is told before an edge is made', async ({ page }) => {
    const graph = page.getByTestId('role-graph');
    await graph.getByRole('button', { name: /^Editor/ }).press('Enter');
    const role = page.getByTestId('role');
    await role.getByRole('button', { name: 'Include another role' }).click();
    await role.getByTestId('hold').getByRole('combobox', { name: 'Role' }).fill('Auditor');
    await page.getByRole('option', { name: 'Auditor' }).click();
    await role.getByRole('button', { name: 'Try it' }).click();
    const dialog = page.getByTestId('try-change');
    await dialog.getByTestId('diffs').getByText('Emil Editor').waitFor();
    await screenshot(page, 'roles-try');
    await save(page);
    await role.getByText('auditor').first().waitFor();
  });

  step('a circle is refused, and shown', async ({ page }) => {
    await page.getByTestId('role-graph').getByRole('button', { name: /^Auditor/ }).click();
    const role = page.getByTestId('role');
    await role.getByRole('button', { name: 'Include another role' }).click();
    await role.getByTestId('hold').getByRole('combobox', { name: 'Role' }).fill('Editor');
    await page.getByRole('option', { name: 'Editor' }).click();
    await role.getByRole('button', { name: 'Try it' }).click();
    const dialog = page.getByTestId('try-change');
    assert.equal(await dialog.getByTestId('help').textContent(), 'The circle: auditor → editor → auditor');
    await dialog.getByRole('button', { name: 'Cancel' }).click();
  });

  step('somebody’s rights, and why they have one', async ({ page }) => {
    await page.getByRole('tab', { name: 'Somebody’s rights' }).click();
    await page.getByRole('combobox', { name: 'Person' }).fill('Emil');
    await page.getByRole('option', { name: 'Emil Editor' }).click();
    await page.getByTestId('held').getByText('Editor').first().waitFor();
    await page.getByTestId('effective').getByRole('link', { name: 'account.user.read' }).click();
    const answer = page.getByTestId('explained');
    await answer.getByText('→ auditor').waitFor();
    assert.match((await answer.getByTestId('explained-text').textContent()) ?? '', /-> editor -\[.*\]-> auditor => account\.user\.read$/);
    await screenshot(page, 'roles-explain', { fullPage: true });
    await page.getByRole('combobox', { name: 'Permission' }).fill('rbac.role.write');
    await page.getByRole('button', { name: 'Explain', exact: true }).click();
    await answer.getByText('No grant leads to this permission.').waitFor();
  });

  step('one role is used alone, and then all again', async ({ page }) => {
    await page.getByRole('link', { name: 'Access' }).click();
    await page.getByRole('button', { name: 'Use Member alone' }).click();
    const banner = page.getByTestId('role');
    await banner.getByText('Member').waitFor();
    await page.getByRole('link', { name: 'People' }).waitFor({ state: 'detached' });
    const { me } = await ask(main.context, server.url, '{ me { activeRole { role { key } } } }');
    assert.equal(me.activeRole.role.key, 'member');
    await screenshot(page, 'roles-active');
    await banner.getByRole('button', { name: 'Use all my roles' }).click();
    await page.getByRole('link', { name: 'People' }).waitFor();
  });

  step('it is dark on demand, and fits a phone', async ({ page }) => {
    await page.emulateMedia({ colorScheme: 'dark' });
    await page.setViewportSize(phone);
    await page.goto('/roles');
    await page.getByTestId('role-graph').waitFor();
    await screenshot(page, 'roles-phone-dark', { fullPage: true });
    const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    assert.ok(wide <= 0, `the page is ${wide} px too wide`);
    await page.setViewportSize(desktop);
  });

  test('nothing was reported that must not happen', () => {
    assert.deepEqual(main.offences, []);
  });
});
