// What of the schema would break a client of the last release. schema/released.graphql is that release's schema;
// schema/breaking.json says of each such change why it had to be: {"<the change as it is printed here>": "<reason>"}.
import { readFileSync } from 'node:fs';
import { argv, exit } from 'node:process';
import { pathToFileURL } from 'node:url';
import { buildSchema, findBreakingChanges, findDangerousChanges } from 'graphql';

/**
 * Compares two schemas.
 * @param {string} released SDL
 * @param {string} current SDL
 * @param {Record<string, unknown>} reasons by change
 * @returns {{refused: string[], dangerous: string[]}} what must be put right, and what may surprise a client that
 * handles all values it knows, such as a new member of a union
 */
export function compare(released, current, reasons) {
  const [before, after] = [buildSchema(released), buildSchema(current)];
  const changes = new Set(findBreakingChanges(before, after).map((change) => change.description));
  const refused = [...changes].filter((change) => !(change in reasons)).map((change) => `breaks clients: ${change}`);
  for (const [change, reason] of Object.entries(reasons)) {
    if (!changes.has(change)) refused.push(`is listed but does not happen: ${change}`);
    else if (typeof reason !== 'string' || !reason.trim()) refused.push(`is listed without a reason: ${change}`);
  }
  return { refused, dangerous: findDangerousChanges(before, after).map((change) => change.description) };
}

function main() {
  const read = (name) => readFileSync(new URL(name, import.meta.url), 'utf8');
  const reasons = JSON.parse(read('../../schema/breaking.json'));
  const { refused, dangerous } = compare(read('../../schema/released.graphql'), read('generated/schema.graphql'), reasons);
  for (const change of dangerous) console.log(`may surprise clients: ${change}`);
  for (const problem of refused) console.error(problem);
  if (refused.length) {
    console.error('keep what clients use and deprecate it, or give the reason in schema/breaking.json: see docs/clients.md');
    exit(1);
  }
  console.log(`no client of the last release breaks${Object.keys(reasons).length ? ', but by what schema/breaking.json gives a reason for' : ''}`);
}

if (argv[1] && import.meta.url === pathToFileURL(argv[1]).href) main();
