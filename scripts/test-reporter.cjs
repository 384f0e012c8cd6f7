/** Mocha's spec reporter; what it counted goes to the file that run-tests.mjs names, or into the closing line. */
const { writeFileSync } = require('node:fs');
const { reporters } = require('mocha');

module.exports = class extends reporters.Spec {
  epilogue() {
    super.epilogue();
    const { passes = 0, failures = 0, pending = 0 } = this.stats;
    const tally = process.env.KMC_TEST_TALLY;
    if (tally !== undefined) writeFileSync(tally, JSON.stringify({ passes, failures, pending }));
    else process.stdout.write(`tests: ${passes} passed, ${failures} failed, ${pending} skipped\n`);
  }
};
