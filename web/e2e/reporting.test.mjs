// Reports that are kept: put on dashboards, watched, and sent by mail.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { changed, desktop, openBrowser, openPage, phone, screenshot, signIn } from './browser.mjs';
import { mailbox } from './mailbox.mjs';
import { startServer } from './server.mjs';

const timeout = 60_000;

describe('reporting', { timeout: 12 * timeout }, () => {
  let server;
  let browser;
  let admin;
  let broken = null;
  const step = (name, run) =>
    test(name, { timeout }, async (t) => {
      if (broken) return t.skip(`after the failure of: ${broken}`);
      broken = name;
      await run(admin.page).catch(async (error) => {
        await screenshot(admin.page, 'reporting-failure', { fullPage: true });
        throw error;
      });
      broken = null;
    });
  const choose = async (within, label, option) => {
    await within.getByRole('combobox', { name: label, exact: true }).click();
    await admin.page.getByRole('option', { name: option, exact: true }).click();
  };
  const tile = (page, title) => page.getByRole('region', { name: title, exact: true });

  before(async () => {
    server = await startServer();
    browser = await openBrowser();
    admin = await openPage(browser, server.url);
    await admin.page.goto('/');
    await signIn(admin.page, server);
  });

  after(async () => {
    await browser?.close();
    await server?.stop();
  });

  step('a template makes a dashboard whose tiles are live, all in one operation', async (page) => {
    await page.goto('/dashboards');
    await page.getByTestId('dashboards').getByRole('button', { name: 'New' }).click();
    await page.getByRole('menuitem', { name: 'Flights of the demo' }).click();
    const value = tile(page, 'Flights in the last hour').getByTestId('report-values').locator('.bb-numeric').first();
    await changed(value, await value.textContent());
    await tile(page, 'Flights a minute').locator('canvas').waitFor();
    await tile(page, 'Flights by destination').locator('canvas').waitFor();
    assert.equal(await page.getByTestId('board-tile').count(), 7);
    await screenshot(page, 'dashboards', { fullPage: true });
  });

  step('a report is kept, opened again and changed', async (page) => {
    await page.goto('/reports?q=%7B%22by%22%3A%22origin%22%2C%22kind%22%3A%22table%22%7D');
    await page.getByTestId('report-table').waitFor();
    await page.getByRole('button', { name: 'Save as…' }).click();
    const form = page.getByTestId('save-report');
    await form.locator('input[name=report-title]').fill('Where they leave');
    await screenshot(page, 'reports-save');
    await form.getByRole('button', { name: 'Save' }).click();
    await form.waitFor({ state: 'detached' });
    await page.getByText('Saved', { exact: true }).waitFor();
    await page.getByTestId('report').getByText('Bars', { exact: true }).click();
    await choose(page, 'Broken down by', 'destination');
    await page.getByRole('button', { name: 'Save the change' }).click();
    await page.getByText('Saved', { exact: true }).waitFor();
    await page.reload();
    await page.locator('[data-testid=report-chart] canvas').waitFor();
    assert.equal(await page.getByRole('combobox', { name: 'Broken down by' }).inputValue(), 'destination');
  });

  step('tiles are added, moved, sized and removed', async (page) => {
    await page.getByRole('link', { name: 'Dashboards' }).click();
    await choose(page, 'Dashboard', 'Flights');
    await page.getByRole('button', { name: 'Arrange' }).click();
    await choose(page, 'Add a report', 'Where they leave');
    await page.getByRole('button', { name: 'Remove Worst delay in the last hour' }).click();
    await choose(page, 'Width of Where they leave', '12 of 12');
    await page.getByRole('button', { name: 'Move Mean delay in the last hour forward' }).click();
    await screenshot(page, 'dashboards-arrange', { fullPage: true });
    await page.getByRole('button', { name: 'Save' }).click();
    await page.getByRole('button', { name: 'Arrange' }).waitFor();
    await page.reload();
    await tile(page, 'Where they leave').locator('canvas').waitFor();
    const titles = await page.getByTestId('board-tile').evaluateAll((tiles) => tiles.map((t) => t.getAttribute('aria-label')));
    assert.deepEqual(titles.slice(0, 3), ['Mean delay in the last hour', 'Flights in the last hour', 'Miles in the last hour']);
    assert.equal(titles.at(-1), 'Where they leave');
  });

  step('an alert is made, shown live, paused and deleted', async (page) => {
    await page.getByRole('link', { name: 'Alerts' }).click();
    await page.getByRole('button', { name: 'New alert' }).click();
    const form = page.getByTestId('alert-form');
    await choose(form, 'Saved report', 'Flights a minute');
    await form.getByRole('textbox', { name: 'This' }).fill('1');
    await screenshot(page, 'alert-form');
    await form.getByRole('button', { name: 'Watch it' }).click();
    await form.waitFor({ state: 'detached' });
    const alert = page.getByTestId('alert');
    await alert.getByText('above 1').waitFor();
    // It looks every half minute, and then it says so by itself.
    await alert.getByText('Firing').waitFor({ timeout: 45_000 });
    await screenshot(page, 'alerts');
    await alert.getByRole('button', { name: 'Pause Flights a minute' }).click();
    await alert.getByText('Paused').waitFor();
    await alert.getByRole('button', { name: 'Delete the alert of Flights a minute' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click();
    await page.getByText('No alerts').waitFor();
  });

  step('a schedule sends a dashboard by mail', async (page) => {
    await page.getByRole('button', { name: 'New schedule' }).click();
    const form = page.getByTestId('schedule-form');
    await choose(form, 'What is sent', 'Flights');
    await form.locator('input[name=cron]').fill('61 * * * *');
    await form.getByRole('button', { name: 'Send it' }).click();
    await form.locator('[data-code=SCHEDULE_INVALID]').waitFor();
    await form.locator('input[name=cron]').fill('0 8 * * MON-FRI');
    await screenshot(page, 'schedule-form');
    await form.getByRole('button', { name: 'Send it' }).click();
    await form.waitFor({ state: 'detached' });
    const schedule = page.getByTestId('schedule');
    await schedule.getByRole('button', { name: 'Send Flights now' }).click();
    await schedule.getByText('sent', { exact: false }).waitFor();
    await mailbox(admin.context, server.url).next(server.email, 'report');
    await schedule.getByRole('button', { name: 'Pause Flights' }).click();
    await schedule.getByText('Paused').waitFor();
    await screenshot(page, 'schedules');
  });

  step('all of it is dark on demand, and fits a phone', async (page) => {
    for (const [path, ready, name] of [
      ['/dashboards', 'report-values', 'dashboards'],
      ['/alerts', 'schedule', 'alerts'],
    ]) {
      await page.emulateMedia({ colorScheme: 'dark' });
      await page.goto(path);
      await page.getByTestId(ready).first().waitFor();
      await screenshot(page, `${name}-dark`, { fullPage: true });
      await page.setViewportSize(phone);
      await screenshot(page, `${name}-phone-dark`, { fullPage: true });
      const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      assert.ok(wide <= 0, `${path} is ${wide} px too wide`);
      await page.setViewportSize(desktop);
    }
  });

  test('nothing was reported that must not happen', () => {
    assert.deepEqual(admin.offences, []);
  });
});
