// Reads `go test -json` and prints what a person wants to see: a line for each package, and the output of what failed.
// With a path as its argument it writes "passed failed skipped" there. Its exit code is that of the tests.
import { writeFileSync } from 'node:fs';
import { createInterface } from 'node:readline';

const output = new Map(); // package or package + test -> lines
const count = { pass: 0, fail: 0, skip: 0 };
const skipped = [];
let broken = false;

const keep = (key, text) => output.set(key, (output.get(key) ?? '') + text);

for await (const line of createInterface({ input: process.stdin })) {
  let e;
  try {
    e = JSON.parse(line);
  } catch {
    console.log(line); // what go itself says, such as that it downloads modules
    continue;
  }
  if (e.Action === 'build-output') process.stdout.write(e.Output);
  if (e.Action === 'build-fail') broken = true;
  const key = e.Test ? `${e.Package} ${e.Test}` : e.Package;
  if (e.Action === 'output') keep(key, e.Output);
  if (!['pass', 'fail', 'skip'].includes(e.Action)) continue;
  if (e.Test) {
    count[e.Action]++;
    if (e.Action === 'skip') skipped.push(`${key}: ${reason(output.get(key) ?? '')}`);
    if (e.Action === 'fail') console.log(`--- FAIL: ${key}\n${output.get(key) ?? ''}`);
    output.delete(key);
    continue;
  }
  const name = e.Package.replace(/^github\.com\/backendbook\/backendbook\/?/, '') || '.';
  if (e.Action === 'fail') {
    broken = true;
    console.log(`FAIL  ${name}\n${output.get(key) ?? ''}`);
    // A test that was running when the binary died has no result of its own.
    for (const [k, text] of output) if (k.startsWith(`${e.Package} `)) console.log(`${k}:\n${text}`);
  } else if (e.Action === 'pass') {
    console.log(`ok    ${name}  ${(e.Elapsed ?? 0).toFixed(1)} s`);
  }
}

for (const s of skipped) console.log(`skipped: ${s}`);
if (process.argv[2]) writeFileSync(process.argv[2], `${count.pass} ${count.fail} ${count.skip}\n`);
process.exitCode = broken || count.fail > 0 ? 1 : 0;

function reason(text) {
  const lines = text.split('\n').filter((l) => l && !/^\s*(===|---)/.test(l));
  return lines.length > 0 ? lines[lines.length - 1].trim() : 'no reason given';
}
