// Runs the files of tests in this folder, two at a time, and those that failed once more, each by itself. So one bad moment of a busy
// machine stops no change; but it is said as FLAKY, and is a fault of Stoa or of the test. `node run.mjs [file…]`
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';

const AT_ONCE = 2;
/** More files than that are no bad moment. */
const MAX_AGAIN = 3;
/** For a whole file, whose tests have limits of their own. */
const FILE_LIMIT_MS = 600_000;
const reporter = process.stdout.isTTY ? 'spec' : 'tap';

/** Runs a file, and says all of it at its end; gives whether its tests passed. */
async function passes(file) {
  // The first option ends a file's process with its last test, whatever that left open.
  const options = ['--test-force-exit', `--test-timeout=${FILE_LIMIT_MS}`, `--test-reporter=${reporter}`];
  const child = spawn(process.execPath, ['--test', ...options, file], { stdio: ['ignore', 'pipe', 'inherit'] });
  let said = `# ${file}\n`;
  child.stdout.setEncoding('utf8').on('data', (text) => { said += text; });
  const [code] = await once(child, 'close');
  process.stdout.write(said);
  return code === 0;
}

/** Runs files, so many at once; gives those that failed. */
async function failed(files, atOnce) {
  const [left, bad] = [[...files], []];
  const worker = async () => {
    for (let file = left.shift(); file; file = left.shift()) if (!(await passes(file))) bad.push(file);
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
  return bad;
}

const given = process.argv.slice(2);
const files = given.length > 0 ? given : readdirSync('.').filter((name) => name.endsWith('.test.mjs')).sort();
const first = await failed(files, AT_ONCE);
const again = first.length > MAX_AGAIN ? [] : first;
if (again.length > 0) console.log(`# once more, each by itself: ${again.join(', ')}`);
const second = again.length > 0 ? await failed(again, 1) : first;
for (const file of first.filter((one) => !second.includes(one))) console.log(`# FLAKY: ${file} passed when it was run by itself; mend it`);
console.log(second.length > 0 ? `# FAILED: ${second.join(', ')}` : `# ${files.length} files passed`);
process.exitCode = second.length > 0 ? 1 : 0;
