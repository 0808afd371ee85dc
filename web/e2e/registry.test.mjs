// The registry through the console: a type is designed, its documents are written, changed, deleted and brought back.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { desktop, openBrowser, openPage, phone, screenshot, signIn } from './browser.mjs';
import { startServer } from './server.mjs';

const timeout = 60_000;

describe('registry', { timeout: 12 * timeout }, () => {
  let server;
  let browser;
  let admin;
  let broken = null;
  const step = (name, run) =>
    test(name, { timeout }, async (t) => {
      if (broken) return t.skip(`after the failure of: ${broken}`);
      broken = name;
      await run(admin.page).catch(async (error) => {
        await screenshot(admin.page, 'registry-failure');
        throw error;
      });
      broken = null;
    });
  const create = async (page, title, next) => {
    await page.getByTestId('new-document').click();
    const form = page.getByTestId('create');
    await form.locator('input[name=title]').fill(title);
    if (next) {
      await form.getByRole('combobox', { name: 'Object', exact: true }).fill(next);
      await page.getByRole('option', { name: next }).click();
    }
    await form.getByRole('button', { name: 'Create' }).click();
    await form.waitFor({ state: 'detached' });
    await page.getByTestId('document').getByText(title, { exact: true }).first().waitFor();
  };
  const close = async (page) => {
    await page.getByRole('dialog').getByRole('button', { name: 'Close' }).first().click();
    await page.getByTestId('document').waitFor({ state: 'detached' });
  };
  const open = async (page, title) => {
    await page.getByTestId('documents').getByRole('link', { name: title, exact: true }).first().click();
    await page.getByTestId('document').waitFor();
  };

  before(async () => {
    server = await startServer();
    browser = await openBrowser();
    admin = await openPage(browser, server.url);
    await admin.page.goto('/types');
    await signIn(admin.page, server);
  });

  after(async () => {
    await browser?.close();
    await server?.stop();
  });

  step('a content type is designed', async (page) => {
    await page.getByTestId('types').waitFor();
    await page.getByRole('button', { name: 'New content type' }).click();
    const form = page.getByTestId('define');
    await form.locator('input[name=key]').fill('chapter');
    await form.locator('input[name=name]').fill('Chapter');
    await form.getByRole('button', { name: 'Add a field' }).click();
    const field = form.getByTestId('field').nth(1);
    await field.getByRole('textbox', { name: 'Name' }).fill('next');
    await field.getByRole('combobox', { name: 'Kind' }).click();
    await page.getByRole('option', { name: 'Reference', exact: true }).click();
    const schema = JSON.parse(await form.locator('textarea[name=schema]').inputValue());
    assert.deepEqual(schema.properties.next.type, 'string');
    schema.properties.next.reference = { to: ['chapter'], onDelete: 'SET_NULL' };
    await form.locator('textarea[name=schema]').fill(JSON.stringify(schema));
    await screenshot(page, 'types-define');
    await form.getByRole('button', { name: 'Define' }).click();
    await form.waitFor({ state: 'detached' });
    await page.getByTestId('type-chapter').waitFor();
    await screenshot(page, 'types');
  });

  step('two documents refer to one another', async (page) => {
    await page.getByTestId('type-chapter').getByRole('link', { name: 'Chapter' }).click();
    await create(page, 'The beginning');
    await close(page);
    await create(page, 'The end', 'The beginning');
    await page.getByTestId('document').getByTestId('reference').click();
    await page.getByTestId('document').getByTestId('backlinks').getByText('The end').waitFor();
    await page.getByRole('button', { name: 'Edit', exact: true }).click();
    const form = page.getByTestId('edit');
    await form.locator('input[name=title]').fill('The very beginning');
    await form.getByRole('combobox', { name: 'Object', exact: true }).fill('The end');
    await page.getByRole('option', { name: 'The end' }).click();
    await screenshot(page, 'document-edit');
    await form.getByRole('button', { name: 'Save' }).click();
    await form.waitFor({ state: 'detached' });
    await page.getByTestId('document').getByText('Revision 2').waitFor();
  });

  step('the history says what changed, and leads back', async (page) => {
    await page.getByRole('tab', { name: 'History' }).click();
    const history = page.getByTestId('history');
    await history.getByTestId('diff').getByText('"The very beginning"').waitFor();
    await history.getByRole('button', { name: 'View revision 1' }).click();
    await history.getByTestId('as-of').waitFor();
    await screenshot(page, 'document-history');
    await history.getByRole('button', { name: 'Revert to revision 1' }).click();
    await page.getByRole('button', { name: 'Revert', exact: true }).last().click();
    await page.getByTestId('document').getByText('Revision 3').waitFor();
    await page.getByTestId('document').getByText('The beginning', { exact: true }).first().waitFor();
  });

  step('what deleting does is said first; the trash gives it back', async (page) => {
    await page.getByRole('button', { name: 'Delete', exact: true }).click();
    const dialog = page.getByTestId('delete');
    await dialog.getByText('1 document loses a field.').waitFor();
    await screenshot(page, 'document-delete');
    await dialog.getByRole('button', { name: 'Delete', exact: true }).click();
    const trash = page.getByTestId('trash');
    await trash.getByRole('button', { name: 'Restore The beginning' }).click();
    await trash.getByText('Nothing').waitFor();
    await open(page, 'The beginning');
    await close(page);
  });

  step('a schema is tried before it is changed', async (page) => {
    await page.getByRole('link', { name: 'Types', exact: true }).click();
    await page.getByRole('button', { name: 'Change Chapter' }).click();
    const form = page.getByTestId('evolve');
    const text = form.locator('textarea[name=schema]');
    const schema = JSON.parse(await text.inputValue());
    await text.fill(JSON.stringify({ ...schema, properties: { ...schema.properties, title: { type: 'string', maxLength: 8 } } }));
    await form.getByRole('button', { name: 'Dry run' }).click();
    await form.getByTestId('check').getByText('would not be valid').waitFor();
    assert.ok(await form.getByRole('button', { name: 'Apply' }).isDisabled());
    await screenshot(page, 'types-evolve');
    await text.fill(JSON.stringify({ ...schema, properties: { ...schema.properties, pages: { type: 'integer' } } }));
    await form.getByRole('button', { name: 'Dry run' }).click();
    await form.getByTestId('check').getByText('all are valid').waitFor();
    await form.getByRole('button', { name: 'Apply' }).click();
    await form.waitFor({ state: 'detached' });
    await page.getByTestId('type-chapter').getByRole('cell', { name: /^2/ }).waitFor();
  });

  step('all of it is dark on demand, and fits a phone', async (page) => {
    for (const [path, ready, name] of [
      ['/types', 'types', 'types'],
      ['/documents?type=chapter', 'trash', 'documents-chapter'],
    ]) {
      await page.emulateMedia({ colorScheme: 'dark' });
      await page.goto(path);
      await page.getByTestId(ready).waitFor();
      await screenshot(page, `${name}-dark`);
      await page.setViewportSize(phone);
      await screenshot(page, `${name}-phone-dark`);
      const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      assert.ok(wide <= 0, `${path} is ${wide} px too wide`);
      await page.setViewportSize(desktop);
      await page.emulateMedia({ colorScheme: 'light' });
    }
  });

  test('nothing was reported that must not happen', () => {
    assert.deepEqual(admin.offences, []);
  });
});
