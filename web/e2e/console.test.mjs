// The console in a real browser, on the real server: what a person would do in the first ten minutes.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import {
  ask,
  changed,
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
import { startServer } from './server.mjs';
import { tapSocket } from './wire.mjs';

const CREATE = 'mutation($input: CreateDocumentInput!) { createDocument(input: $input) { document { id } } }';
const PREVIEW = 'query($input: PreviewChangeInput!) { previewChange(input: $input) { token } }';
const CHANGE_PLAN = 'mutation($input: ChangePlanInput!) { changePlan(input: $input) { result { __typename } } }';

const timeout = 90_000;

describe('console', { timeout: 8 * timeout }, () => {
  let server;
  let browser;
  let main;

  // The steps on the one page build on each other: after one that failed, the page is not where the next expects it.
  let broken = null;
  const step = (name, run) =>
    test(name, { timeout }, async (t) => {
      if (broken) return t.skip(`after the failure of: ${broken}`);
      broken = name;
      await run().catch(async (error) => {
        await screenshot(main.page, 'failure');
        throw error;
      });
      broken = null;
    });

  before(async () => {
    server = await startServer();
    browser = await openBrowser();
    main = await openPage(browser, server.url);
  });

  after(async () => {
    await browser?.close();
    await server?.stop();
  });

  step('a visitor is asked to sign in, and told in words what was wrong', async () => {
    const { page } = main;
    await page.goto('/');
    await page.getByTestId('sign-in').waitFor();
    await screenshot(page, 'sign-in');
    await enterPassword(page, { email: server.email, password: 'not the password' });
    const alert = page.locator('[data-code=BAD_CREDENTIALS]');
    await alert.waitFor();
    assert.match(await alert.textContent(), /wrong/);
  });

  step('signing in leads to the dashboard, whose tiles change without a reload', async () => {
    const { page } = main;
    await signIn(page, server);
    await socketOpen(page);
    await page.evaluate(() => (globalThis.sameDocument = true));
    const tile = page.getByTestId('tile-flights-value');
    await tile.waitFor();
    const first = await tile.textContent();
    const second = await changed(tile, first);
    assert.notEqual(second, first);
    assert.ok(Number(await page.getByTestId('tile-flights').getAttribute('data-pulses')) > 0, 'the tile pulses');
    assert.match(await page.getByTestId('tile-flights-at').textContent(), /^\d\d:\d\d:\d\d$/);
    assert.equal(await page.evaluate(() => globalThis.sameDocument), true, 'the page was not loaded anew');
    await page.getByTestId('panel-origins').getByRole('listitem').nth(4).waitFor();
    await page.locator('[data-testid=panel-delay] canvas').waitFor();
    await screenshot(page, 'dashboard-light');
  });

  step('a document made elsewhere enters the list at once', async () => {
    const { page, context } = main;
    const text = `Seen by the test at ${new Date().toISOString()}`;
    await ask(context, server.url, CREATE, { type: 'note', data: { text } });
    await page.getByTestId('panel-newest').getByText(text).waitFor();
  });

  step('the explorer answers a query and follows a subscription', async () => {
    const { page } = main;
    await page.getByRole('link', { name: 'Explorer' }).click();
    const explorer = page.getByTestId('explorer');
    const run = explorer.getByRole('button', { name: /Execute query/ });
    await run.waitFor();
    // Each system has its tab.
    assert.equal(await explorer.getByRole('tab').count(), 7);
    const response = explorer.locator('.graphiql-response');
    await explorer.locator('.graphiql-query-editor').getByText('permissions').waitFor();
    await run.click();
    await response.getByText(server.email).first().waitFor();
    await screenshot(page, 'explorer-query');
    const trace = page.getByTestId('trace');
    await trace.getByRole('switch').click();
    await run.click();
    await trace.getByText(/document known; executed in [\d.]+ ms; \d+ finds/).waitFor();
    await screenshot(page, 'explorer-trace');
    await trace.getByRole('switch').click();

    await explorer.getByRole('tab', { name: 'Live' }).click();
    await run.click();
    const kind = response.getByText(/DELTA/).first();
    await kind.waitFor();
    await screenshot(page, 'explorer-subscription');
    const frames = page.getByTestId('frames-flights');
    await frames.locator('[data-kind=SNAPSHOT]').waitFor();
    await page.getByTestId('frames').getByRole('button', { name: 'Cut the connection' }).click();
    await frames.locator('[data-kind=CUT]').waitFor();
    await frames.locator('[data-kind=RESUMED]').waitFor();
    assert.equal(await frames.locator('[data-kind=SNAPSHOT]').count(), 1, 'it went on from its cursor');
    await screenshot(page, 'explorer-frames');
    await explorer.getByRole('button', { name: /Stop query/ }).click();
    await run.waitFor();
    await frames.locator('[data-kind=END]').waitFor();
    await page.getByTestId('frames').getByRole('button', { name: 'Close' }).click();
    await frames.waitFor({ state: 'detached' });
  });

  step('the explorer opens examples, and tells what an operation costs before it is run', async () => {
    const { page } = main;
    const explorer = page.getByTestId('explorer');
    const cost = page.getByTestId('cost');
    await explorer.getByRole('button', { name: 'Examples' }).click();
    await page.getByTestId('examples').getByText('Real-time analytics').waitFor();
    await screenshot(page, 'explorer-examples');
    await page.getByRole('menuitem', { name: 'Documents, and what points at them' }).click();
    assert.equal(await explorer.getByRole('tab').count(), 8);
    await cost.getByText(/^Cost [1-9]\d* of 100,000.*documents × 5 › nodes › references × 10 › target › backlinks × 3$/).waitFor();
    await screenshot(page, 'explorer-cost');
    await explorer.getByRole('button', { name: /Execute query/ }).click();
    await explorer.locator('.graphiql-response').getByText('backlinks').first().waitFor();
    const write = async (text) => {
      await explorer.locator('.graphiql-query-editor .monaco-editor').click();
      await page.keyboard.press('Control+A');
      await page.keyboard.press('Delete');
      await page.keyboard.insertText(text);
    };
    const deep = 'query Deep { documents(type: "movie", first: 100) { nodes { backlinks(first: 100) { nodes { from { ';
    await write(`${deep}id } } } } } }`);
    await cost.getByText(/^Cost [\d,]+ of 100,000/).waitFor();
    await write(`${deep}backlinks(first: 100) { nodes { path } } } } } } } }`);
    await cost.getByText(/^Would be refused: QUERY_TOO_COMPLEX, [\d,]+ of 100,000$/).waitFor();
    await screenshot(page, 'explorer-refused');
  });

  step('the explorer asks as nobody, and as somebody else, while the console stays signed in', async () => {
    const { page } = main;
    const explorer = page.getByTestId('explorer');
    const response = explorer.locator('.graphiql-response');
    const run = explorer.getByRole('button', { name: /Execute query/ });
    await explorer.getByRole('tab', { name: 'Me', exact: true }).click();
    const as = page.getByTestId('ask-as');
    await as.click();
    await page.getByTestId('ask-as-who').getByRole('button', { name: 'Nobody' }).click();
    await as.getByText('nobody').waitFor();
    await run.click();
    await response.getByText('UNAUTHENTICATED').waitFor();
    await as.click();
    const who = page.getByTestId('ask-as-who');
    await who.locator('input[name=explorer-identifier]').fill('editor@example.com');
    await who.locator('input[name=explorer-password]').fill('not the password');
    await who.getByRole('button', { name: 'Sign in for this page' }).click();
    await who.getByRole('alert').getByText(/wrong/).waitFor();
    await who.locator('input[name=explorer-identifier]').fill(server.editor.email);
    await who.locator('input[name=explorer-password]').fill(server.editor.password);
    await screenshot(page, 'explorer-ask-as');
    await who.getByRole('button', { name: 'Sign in for this page' }).click();
    await who.waitFor({ state: 'detached' });
    await run.click();
    await response.getByText(server.editor.email).first().waitFor();
    await explorer.getByRole('tab', { name: 'Live' }).click();
    await run.click();
    await page.getByTestId('frames-flights').locator('[data-kind=DELTA]').first().waitFor();
    await screenshot(page, 'explorer-as-editor');
    const stored = await page.evaluate(() => JSON.stringify([{ ...localStorage }, { ...sessionStorage }]));
    assert.ok(!stored.includes(server.editor.password) && !/bb[a-z]_/.test(stored), 'a secret was stored');
    await explorer.getByRole('button', { name: /Stop query/ }).click();
    await as.click();
    await who.getByRole('button', { name: 'Myself' }).click();
    await explorer.getByRole('tab', { name: 'Me', exact: true }).click();
    await run.click();
    await response.getByText(server.email).first().waitFor();
  });

  step('the explorer stores no headers', async () => {
    const { page } = main;
    const explorer = page.getByTestId('explorer');
    const tool = explorer.locator('.graphiql-editor-tool .monaco-editor:visible');
    for (const [name, text] of [['Headers', '{"x-probe":"kept-nowhere"'], ['Variables', '// kept']]) {
      await explorer.getByRole('button', { name }).click();
      await tool.click();
      await page.keyboard.press('Control+End');
      await page.keyboard.type(text);
      await tool.getByText(text.slice(-4)).first().waitFor();
    }
    // What is typed into the variables is stored, and by then the headers before them would have been.
    await page.waitForFunction(() => JSON.stringify({ ...localStorage }).includes('// kept'));
    const stored = await page.evaluate(() => JSON.stringify({ ...localStorage }));
    assert.ok(!stored.includes('kept-nowhere'), 'the headers were stored');
  });

  step('documents show what they point at and what points at them', async () => {
    const { page } = main;
    await page.getByRole('link', { name: 'Documents' }).click();
    await page.getByRole('navigation', { name: 'Content types' }).getByText('Movie').click();
    const table = page.getByTestId('documents');
    await table.getByTestId('reference').first().waitFor();
    await screenshot(page, 'documents');
    const person = await table.getByTestId('reference').first().textContent();
    await table.getByTestId('reference').first().click();
    const drawer = page.getByTestId('document');
    await drawer.getByText(person, { exact: true }).first().waitFor();
    await drawer.getByTestId('backlinks').waitFor();
    await screenshot(page, 'document');
  });

  step('a note can be written about any object', async () => {
    const { page } = main;
    await page.getByTestId('note-about').click();
    const form = page.getByTestId('create');
    await form.locator('textarea[name=text]').fill('Worth watching again.');
    await form.getByText('Leads to').waitFor();
    await form.getByTestId('reference').waitFor();
    await screenshot(page, 'note');
    await form.getByRole('button', { name: 'Create' }).click();
    await form.waitFor({ state: 'detached' });
    const drawer = page.getByTestId('document');
    await drawer.getByText('Worth watching again.').first().waitFor();
    await drawer.getByTestId('reference').click();
    await drawer.getByTestId('backlinks').getByText('Worth watching again.').waitFor();
    await page.keyboard.press('Escape');
    await drawer.waitFor({ state: 'detached' });
  });

  step('access shows roles and permissions, and leads to the plan', async () => {
    const { page } = main;
    await page.getByRole('link', { name: 'Access' }).click();
    await page.getByTestId('panel-roles').getByRole('button', { name: /Viewer/ }).click();
    await page.getByTestId('panel-roles').getByText('registry.document.read').filter({ visible: true }).first().waitFor();
    await page.getByTestId('panel-permissions').getByText('analytics.report.view').waitFor();
    await screenshot(page, 'access', { fullPage: true });
    await page.getByTestId('access').getByRole('link', { name: 'plan', exact: true }).click();
    await page.getByTestId('plan-current').waitFor();
  });

  step('the dashboard is dark on demand, and fits a phone', async () => {
    const { page } = main;
    await page.getByTestId('scheme').click();
    await page.locator('html[data-mantine-color-scheme=dark]').waitFor();
    await page.getByRole('link', { name: 'Explorer' }).click();
    await page.locator('.graphiql-query-editor').getByText('permissions').waitFor();
    await screenshot(page, 'explorer-dark');
    await page.getByRole('link', { name: 'Dashboard' }).click();
    await page.getByTestId('tile-flights-value').waitFor();
    await page.locator('[data-testid=panel-delay] canvas').waitFor();
    await screenshot(page, 'dashboard-dark');
    await page.setViewportSize(phone);
    await screenshot(page, 'dashboard-phone', { fullPage: true });
    const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    assert.ok(wide <= 0, `the page is ${wide} px wider than the phone`);
    await page.getByRole('button', { name: 'Pages' }).click();
    await page.getByRole('dialog').getByText('Access').click();
    await page.getByTestId('panel-permissions').waitFor();
    await screenshot(page, 'access-phone-dark');
  });

  step('signing out leads back to the way in', async () => {
    const { page } = main;
    await signOut(page);
    await screenshot(page, 'sign-in-phone-dark');
  });

  test('a newcomer meets the limits of the plan, in words, and what lifts them', { timeout }, async () => {
    const { page, context, offences } = await openPage(browser, server.url);
    await page.goto('/documents?type=note');
    await page.getByRole('button', { name: 'Create an account' }).click();
    const email = `nora.${Date.now()}@example.com`;
    await register(page, { name: 'Nora Newcomer', email, password: 'violet otter 48 lamps' });
    const mail = await mailbox(context, server.url).next(email, 'verify_email');
    await enterCode(page.getByTestId('verify-step'), mail.code);

    await page.getByTestId('documents').waitFor();
    const { me, plans } = await ask(context, server.url, '{ me { entitlements { feature remaining } } plans { id key } }');
    const { remaining } = me.entitlements.find((e) => e.feature === 'registry.documents');
    const notes = Array.from({ length: remaining }, (_, i) => `Note ${i + 1}`);
    await Promise.all(notes.map((text) => ask(context, server.url, CREATE, { type: 'note', data: { text } })));
    await page.getByTestId('new-document').click();
    const form = page.getByTestId('create');
    await form.locator('textarea[name=text]').fill('One too many');
    await form.getByRole('button', { name: 'Create' }).click();
    await form.locator('[data-code=QUOTA_EXCEEDED]').getByText(`${notes.length} of ${notes.length} are used`).waitFor();
    await screenshot(page, 'quota');

    await form.getByRole('link', { name: 'See your plan' }).click();
    await page.getByText('All used').waitFor();
    await screenshot(page, 'plan-newcomer');
    await page.getByRole('button', { name: 'Move up to Basic' }).click();
    const preview = page.getByTestId('preview');
    await preview.getByTestId('preview-body').waitFor();
    const { id } = plans.find((p) => p.key === 'pro');
    const { previewChange } = await ask(context, server.url, PREVIEW, { plan: id, price: 'eur-1-month' });
    await ask(context, server.url, CHANGE_PLAN, { token: previewChange.token });
    await preview.getByRole('button', { name: 'Confirm' }).click();
    await preview.locator('[data-code=PLAN_STALE]').waitFor();
    await preview.getByRole('button', { name: 'Preview again' }).click();
    await preview.getByTestId('preview-body').waitFor();
    await preview.getByRole('button', { name: 'Cancel' }).click();
    await page.getByTestId('plan-current').getByText('Pro').waitFor();
    await page.getByRole('link', { name: 'Access' }).click();
    await page.getByText('Roles are not shown to you').waitFor();
    await page.getByTestId('panel-permissions').getByText('registry.document.delete').waitFor();
    assert.deepEqual(offences, []);
    await context.close();
  });

  test('a lost message and a lost socket are made good, and an ended session is noticed, without a reload', { timeout }, async () => {
    const { page, context, offences } = await openPage(browser, server.url);
    const wire = await tapSocket(page);
    await page.goto('/');
    await signIn(page, server);
    const tile = page.getByTestId('tile-flights-value');
    await changed(tile, await tile.textContent());

    const again = wire.nextSubscription();
    wire.loseNext((m) => m.channel === 'flights' && m.kind === 'DELTA');
    await again;
    await changed(tile, await tile.textContent());

    await wire.close(1012, '{"reconnectInMs":50}');
    await page.locator('[data-testid=socket]:not([data-phase=open])').waitFor();
    await socketOpen(page);
    await changed(tile, await tile.textContent());

    // The session ends elsewhere: the server closes the socket, and the page leads to the way in.
    await ask(context, server.url, 'mutation { signOut { ended } }');
    await page.getByText('Your session has ended').waitFor();
    assert.deepEqual(offences, []);
    await context.close();
  });

  test('nothing else happened: no console error, no refused content, no request to elsewhere', () => {
    assert.deepEqual(main.offences, []);
  });
});
