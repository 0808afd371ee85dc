// The content model as a picture: it is there, moves, follows the colour scheme and can be taken away.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, before, describe, test } from 'node:test';

import { openBrowser, openPage, screenshot, signIn } from './browser.mjs';
import { startServer } from './server.mjs';

const timeout = 60_000;

describe('content model', { timeout: 4 * timeout }, () => {
  let server;
  let browser;
  let main;

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

  test('the picture is shown, moves, follows the scheme and can be kept', { timeout }, async () => {
    const { page, context, offences } = main;
    await page.getByRole('link', { name: 'Content model' }).click();
    const frame = page.getByTestId('picture');
    const image = frame.getByRole('img', { name: 'Diagram of the content types' });
    await image.waitFor();
    const box = () => image.boundingBox();
    await page.waitForFunction(() => document.querySelector('[data-testid=picture] img')?.naturalWidth > 100);
    await screenshot(page, 'model');
    const whole = await box();
    await frame.hover();
    await page.mouse.wheel(0, -300);
    await page.waitForFunction((w) => document.querySelector('[data-testid=picture] img').getBoundingClientRect().width > w * 1.2, whole.width);
    const large = await box();
    await page.mouse.down();
    await page.mouse.move(400, 300, { steps: 4 });
    await page.mouse.up();
    assert.notDeepEqual(await box(), large);
    await frame.getByRole('button', { name: 'Fit' }).click();
    assert.deepEqual(await box(), whole);
    const [saved] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', { name: 'Download SVG' }).click()]);
    assert.equal(saved.suggestedFilename(), 'content-model.svg');
    assert.match(await readFile(await saved.path(), 'utf8'), /^<svg [^]*airport[^]*<\/svg>\s*$/);
    await context.grantPermissions(['clipboard-read', 'clipboard-write']);
    await page.getByRole('button', { name: 'Copy Mermaid' }).click();
    await page.getByRole('button', { name: 'Copied' }).waitFor();
    assert.match(await page.evaluate(() => navigator.clipboard.readText()), /^erDiagram\n/);
    await page.getByTestId('scheme').click();
    await screenshot(page, 'model-dark');
    assert.deepEqual(offences, []);
  });
});
