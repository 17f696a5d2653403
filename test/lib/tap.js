// Tests in Node: test(description, async () => ...) is one line of TAP. Tests run in the
// order of the file, each also when one before it failed; done() comes last.
const assert = require('node:assert/strict');

const tests = [];

exports.same = (got, wanted) => assert.deepEqual(got, wanted);

// The promise must fail, with an error for which check() gives what is wanted. Returns the error.
exports.fails = async (promise, check, wanted) => {
  const error = await promise.then(() => assert.fail('no error was raised'), (caught) => caught);
  if (error.code === 'ERR_ASSERTION') throw error;
  assert.deepEqual(check(error), wanted, `${error}`);
  return error;
};

exports.test = (description, run) => tests.push({ description, run });

exports.done = async (afterEach, end) => {
  console.log(`1..${tests.length}`);
  for (const [i, { description, run }] of tests.entries()) {
    try {
      await run();
      console.log(`ok ${i + 1} - ${description}`);
    } catch (error) {
      process.exitCode = 1;
      const lines = `${error}\n${error.stack}`.split('\n');
      console.log([`not ok ${i + 1} - ${description}`, ...lines].join('\n# '));
    }
    await afterEach();
  }
  await end();
};
