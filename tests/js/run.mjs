// Runs the files of tests in this folder, two at a time, and those that failed once more, each by itself. So one bad moment of a busy
// machine stops no change; but it is said as FLAKY, and is a fault of Stoa or of the test. `node run.mjs [file…]`
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** More than that are no bad moment. */
const MAX_AGAIN = 3;
/** For a whole file, whose tests have limits of their own. */
const FILE_LIMIT_MS = 600_000;
const reporter = fileURLToPath(new URL('failing.mjs', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'stoa-tests-'));

/** Runs the files; gives those with a failed test, or `null` when it is not known which. */
async function failedOf(files, atOnce) {
  const list = join(folder, 'failed');
  const options = [
    // Ends a file's process with its last test, whatever that left open.
    '--test-force-exit', `--test-timeout=${FILE_LIMIT_MS}`, `--test-concurrency=${atOnce}`,
    `--test-reporter=${process.stdout.isTTY ? 'spec' : 'tap'}`, '--test-reporter-destination=stdout',
    `--test-reporter=${reporter}`, `--test-reporter-destination=${list}`,
  ];
  const [code] = await once(spawn(process.execPath, ['--test', ...options, ...files], { stdio: 'inherit' }), 'exit');
  const failed = [...new Set(readFileSync(list, 'utf8').split('\n').filter(Boolean))];
  return code === 0 || failed.length > 0 ? failed : null;
}

try {
  let failed = await failedOf(process.argv.slice(2), 2);
  if (failed?.length > 0 && failed.length <= MAX_AGAIN) {
    const again = failed;
    failed = [];
    for (const file of again) {
      console.log(`# ${basename(file)} failed, and is run once more by itself`);
      if ((await failedOf([file], 1))?.length === 0) console.log(`# FLAKY: ${basename(file)}: passed when run alone; mend it`);
      else failed.push(file);
    }
  }
  process.exitCode = failed?.length === 0 ? 0 : 1;
} finally {
  rmSync(folder, { recursive: true, force: true });
}
