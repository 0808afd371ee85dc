// Analytics through the console: reports are built, metrics defined, journeys and events looked at, as they go on.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, before, describe, test } from 'node:test';

import { ask, changed, desktop, openBrowser, openPage, phone, screenshot, signIn } from './browser.mjs';
import { startServer } from './server.mjs';

const TRACK = 'mutation($input: TrackInput!) { track(input: $input) { accepted } }';

const timeout = 60_000;

/** Three visitors of a shop: all look, two order, one pays. */
function visits(startMs) {
  const event = (actor, n, name) => ({
    id: `e2e-${startMs}-${actor}-${n}`,
    name,
    at: new Date(startMs + n * 60_000).toISOString(),
    actor: `visitor-${actor}`,
    session: `session-${actor}`,
    dims: { shop: actor === 1 ? 'north' : 'south' },
    values: { price: n * 10 },
  });
  return [1, 2, 3].flatMap((actor) => ['shop.viewed', 'shop.ordered', 'shop.paid'].slice(0, 4 - actor).map((name, n) => event(actor, n, name)));
}

describe('analytics', { timeout: 16 * timeout }, () => {
  let server;
  let browser;
  let admin;
  let broken = null;
  const step = (name, run) =>
    test(name, { timeout }, async (t) => {
      if (broken) return t.skip(`after the failure of: ${broken}`);
      broken = name;
      await run(admin.page).catch(async (error) => {
        await screenshot(admin.page, 'analytics-failure', { fullPage: true });
        throw error;
      });
      broken = null;
    });
  const choose = async (page, label, option) => {
    await page.getByRole('combobox', { name: label, exact: true }).click();
    await page.getByRole('option', { name: option, exact: true }).click();
  };
  const kind = (page, label) => page.getByTestId('report').getByText(label, { exact: true }).click();
  const facts = (page, text) => page.getByTestId('report-facts').getByText(text).waitFor();
  const track = (events) => ask(admin.context, server.url, TRACK, { events });

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

  step('a report of the last minutes goes on by itself', async (page) => {
    await page.getByRole('link', { name: 'Analytics' }).click();
    await page.locator('[data-testid=report-chart] canvas').waitFor();
    const total = page.getByRole('list', { name: 'Series' }).locator('.bb-numeric').first();
    await changed(total, await total.textContent());
    await facts(page, 'All events counted');
    await screenshot(page, 'reports-live');
  });

  step('it can be read with the keyboard alone', async (page) => {
    await page.locator('[data-testid=report-chart] [role=img]').focus();
    await page.keyboard.press('ArrowLeft');
    await page.keyboard.press('ArrowLeft');
    await page.getByTestId('report-chart').getByText(/\d\d:\d\d/).first().waitFor();
    await kind(page, 'Table');
    await page.getByTestId('report-table').getByRole('rowheader', { name: 'In all' }).waitFor();
    await kind(page, 'Line');
  });

  step('counts stand on one another, beside the time before', async (page) => {
    await page.getByRole('textbox', { name: 'How many' }).fill('12');
    await choose(page, 'Broken down by', 'origin');
    await choose(page, 'Compared with', 'The time before');
    await page.getByText(/dashed: the time compared with/).waitFor();
    await kind(page, 'Bars');
    await screenshot(page, 'reports-stacked');
    await kind(page, 'Area');
    await screenshot(page, 'reports-compared');
    await page.emulateMedia({ colorScheme: 'dark' });
    await screenshot(page, 'reports-compared-dark');
    await page.emulateMedia({ colorScheme: 'light' });
    await kind(page, 'Line');
  });

  step('the numbers can be taken home', async (page) => {
    await page.getByTestId('report').getByRole('button', { name: 'Download' }).click();
    const [file] = await Promise.all([page.waitForEvent('download'), page.getByRole('menuitem', { name: 'CSV' }).click()]);
    assert.equal(file.suggestedFilename(), 'flights.count.csv');
    assert.match(await readFile(await file.path(), 'utf8'), /^at,/);
  });

  step('quantiles are told apart by origin, beside the time before', async (page) => {
    await choose(page, 'Metric', 'flights.delay');
    await choose(page, 'Shown as', 'Quantile');
    await page.getByLabel('The others together').check();
    await page.getByRole('list', { name: 'Series' }).getByText('Others').waitFor();
    await facts(page, 'Estimated, ± 1 %');
    assert.equal(await page.getByRole('list', { name: 'Series' }).getByRole('listitem').count(), 6);
    await screenshot(page, 'reports-breakdown', { fullPage: true });
    await kind(page, 'Bars');
    await screenshot(page, 'reports-bars');
    await kind(page, 'Table');
    await page.getByTestId('report-table').getByText('Others, before').waitFor();
    await screenshot(page, 'reports-table');
    await kind(page, 'Value');
    await page.getByTestId('report-values').getByText('Others').waitFor();
    await screenshot(page, 'reports-values');
  });

  step('the address leads to the same report, of given days', async (page) => {
    await page.getByText('Given days', { exact: true }).click();
    await choose(page, 'By', 'Day');
    await choose(page, 'Shown as', 'Mean');
    await choose(page, 'Time zone', 'UTC');
    await facts(page, /UTC · From numbers by the day/);
    await page.reload();
    await facts(page, /UTC · From numbers by the day/);
    await page.getByTestId('report-values').waitFor();
  });

  step('a filter leaves one origin', async (page) => {
    await page.getByRole('button', { name: 'Add a filter' }).click();
    const filter = page.getByTestId('filter');
    await filter.getByRole('combobox', { name: 'Values' }).fill('SFO');
    await page.keyboard.press('Enter');
    await page.getByTestId('report-values').getByText('SFO').waitFor();
    await page.waitForFunction(() => document.querySelectorAll('[data-testid=report-values] > *').length === 1);
  });

  step('a metric is defined, changed and rebuilt', async (page) => {
    await page.getByRole('link', { name: 'Metrics' }).click();
    await page.getByRole('button', { name: 'New metric' }).click();
    const form = page.getByTestId('define-metric');
    await form.locator('input[name=metric-key]').fill('Shop');
    await form.locator('input[name=event]').fill('shop.paid');
    await form.locator('input[name=value]').fill('price');
    await form.getByRole('combobox', { name: 'Different ones of' }).fill('actor');
    await form.getByRole('button', { name: 'Define' }).click();
    await form.locator('[data-code=METRIC_INVALID]').waitFor();
    await form.locator('input[name=metric-key]').fill('shop.revenue');
    await screenshot(page, 'metrics-define');
    await form.getByRole('button', { name: 'Define' }).click();
    await form.waitFor({ state: 'detached' });
    await page.getByRole('button', { name: 'Change shop.revenue' }).click();
    await form.getByRole('combobox', { name: 'Dimensions' }).fill('shop');
    await form.getByRole('button', { name: 'Change', exact: true }).click();
    await form.waitFor({ state: 'detached' });
    await page.getByTestId('metric-shop.revenue').getByText('1,000 values each').waitFor();
    await page.getByRole('button', { name: 'Rebuild' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Rebuild' }).click();
    await page.getByText(/being computed anew/).waitFor();
    await screenshot(page, 'metrics');
  });

  step('a funnel says how many go on, and who does not', async (page) => {
    await track(visits(Date.now() - 30 * 60_000));
    await page.getByRole('link', { name: 'Journeys' }).click();
    await page.getByRole('button', { name: 'Add a step' }).click();
    for (const [i, name] of ['shop.viewed', 'shop.ordered', 'shop.paid'].entries()) {
      await page.getByRole('combobox', { name: `Step ${i + 1}`, exact: true }).fill(name);
    }
    await page.getByRole('textbox', { name: 'Broken down by' }).fill('shop');
    const funnel = page.getByTestId('funnel');
    await funnel.getByText('66.7 %').waitFor();
    await funnel.getByText('33.3 %').waitFor();
    await page.getByRole('table', { name: 'By group' }).getByText('north').waitFor();
    await screenshot(page, 'funnel', { fullPage: true });
    await page.getByRole('button', { name: 'Who stopped at step 1' }).click();
    await page.getByTestId('behind').getByRole('link', { name: 'visitor-3' }).waitFor();
    await screenshot(page, 'behind');
    await page.getByRole('dialog').getByRole('button', { name: 'Close' }).click();
    // It goes on by itself.
    await track(visits(Date.now() - 10 * 60_000).map((e) => ({ ...e, actor: `${e.actor}-b` })));
    await funnel.getByText('6', { exact: true }).waitFor();
  });

  step('a retention shows who comes back', async (page) => {
    const day = 86_400_000;
    const before = visits(Date.now() - 3 * day).filter((e) => e.name === 'shop.viewed');
    await track([...before, ...before.slice(0, 2).map((e) => ({ ...e, id: `${e.id}-again`, at: new Date(Date.now() - day).toISOString() }))]);
    await page.getByRole('tab', { name: 'Retention' }).click();
    await page.getByRole('combobox', { name: 'Begins with' }).fill('shop.viewed');
    await page.getByRole('combobox', { name: 'Comes back with' }).fill('shop.viewed');
    await choose(page, 'Of these', 'Days');
    const cell = page.getByTestId('cohorts').getByRole('button', { name: '66.7 %, 2 of 3, 2 later' });
    await cell.waitFor();
    await screenshot(page, 'retention');
    await cell.click();
    await page.getByTestId('behind').getByRole('link', { name: 'visitor-1' }).waitFor();
    await page.getByRole('dialog').getByRole('button', { name: 'Close' }).click();
  });

  step('paths show where sessions go', async (page) => {
    await page.getByRole('tab', { name: 'Paths' }).click();
    await page.getByRole('combobox', { name: 'Event' }).fill('shop.viewed');
    await page.getByTestId('paths').getByText('shop.paid').first().waitFor();
    await screenshot(page, 'paths');
  });

  step('the explorer finds events, and shows them as they come', async (page) => {
    await page.getByRole('link', { name: 'Events' }).click();
    const table = page.getByTestId('event-table');
    await table.getByText('flight').first().waitFor();
    await page.getByRole('combobox', { name: 'Names' }).fill('shop.paid');
    await page.keyboard.press('Enter');
    await table.getByRole('link', { name: 'visitor-1', exact: true }).waitFor();
    await page.getByRole('switch', { name: 'As they come in' }).click();
    await page.getByTestId('tail-at').waitFor();
    await track([{ id: `e2e-late-${Date.now()}`, name: 'shop.paid', actor: 'visitor-9' }]);
    await table.getByRole('link', { name: 'visitor-9' }).waitFor();
    await screenshot(page, 'events-tail');
    await table.getByRole('link', { name: 'visitor-9' }).click();
    await page.getByRole('textbox', { name: 'Whom they are about' }).and(page.locator('[value=visitor-9]')).waitFor();
  });

  step('events of one name are written to a file', async (page) => {
    await page.goto('/events');
    await page.getByRole('combobox', { name: 'Names' }).fill('shop.paid');
    await page.keyboard.press('Enter');
    await page.getByRole('button', { name: 'Download' }).click();
    await page.getByRole('menuitem', { name: /In the background/ }).click();
    const link = page.getByTestId('export-job').getByRole('link', { name: 'Download the file' });
    const [file] = await Promise.all([page.waitForEvent('download'), link.click()]);
    assert.match(await readFile(await file.path(), 'utf8'), /visitor-9/);
    await screenshot(page, 'events-export');
  });

  step('an ingest key is shown once, stores events, and is turned off', async (page) => {
    await page.getByRole('link', { name: 'Sources' }).click();
    await page.getByTestId('panel-sources').getByRole('button', { name: 'New key' }).click();
    const form = page.getByTestId('source-form');
    await form.locator('input[name=source-name]').fill('Shop');
    await form.getByRole('combobox', { name: 'Events' }).fill('shop.viewed');
    await page.keyboard.press('Enter');
    await form.getByRole('button', { name: 'Make the key' }).click();
    const shown = page.getByTestId('ingest-key');
    const key = (await shown.getByTestId('token').textContent()).trim();
    await screenshot(page, 'ingest-key');
    await shown.getByRole('button', { name: 'I have kept it' }).click();
    const send = (id) =>
      fetch(`${server.url}/events`, {
        method: 'POST',
        headers: { authorization: `Bearer ${key}` },
        body: JSON.stringify({ id, name: 'shop.viewed' }),
      });
    assert.equal((await send('e2e-source-1')).status, 200);
    const source = page.getByTestId('source');
    await source.getByRole('button', { name: 'Turn Shop off' }).click();
    await source.getByText('off', { exact: true }).waitFor();
    assert.equal((await send('e2e-source-2')).status, 401);
  });

  step('events that came unknown are described', async (page) => {
    const row = page.getByTestId('event-type-shop.paid');
    await row.getByText('unknown').waitFor();
    await row.getByRole('button', { name: 'Describe shop.paid' }).click();
    const form = page.getByTestId('type-form');
    await form.locator('textarea[name=description]').fill('An order was paid');
    await form.getByRole('button', { name: 'Save' }).click();
    await form.waitFor({ state: 'detached' });
    await row.getByText('An order was paid').waitFor();
    await row.getByText('unknown').waitFor({ state: 'detached' });
    await screenshot(page, 'sources', { fullPage: true });
  });

  step('all of it is dark on demand, and fits a phone', async (page) => {
    const shown = { metric: 'flights.count', by: 'origin', top: 4, other: true, compare: 'PREVIOUS_PERIOD' };
    for (const [path, ready, name] of [
      [`/reports?q=${encodeURIComponent(JSON.stringify(shown))}`, 'report-facts', 'reports'],
      ['/metrics', 'metric-flights.delay', 'metrics'],
      ['/journeys', 'journeys', 'journeys'],
      ['/events', 'event-table', 'events'],
      ['/sources', 'event-type-flight', 'sources'],
    ]) {
      await page.emulateMedia({ colorScheme: 'dark' });
      await page.goto(path);
      await page.getByTestId(ready).waitFor();
      await screenshot(page, `${name}-dark`);
      await page.setViewportSize(phone);
      await screenshot(page, `${name}-phone-dark`, { fullPage: true });
      const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      assert.ok(wide <= 0, `${path} is ${wide} px too wide`);
      await page.emulateMedia({ colorScheme: 'light' });
      await screenshot(page, `${name}-phone`);
      await page.setViewportSize(desktop);
    }
  });

  test('nothing was reported that must not happen', () => {
    assert.deepEqual(admin.offences, []);
  });
});
