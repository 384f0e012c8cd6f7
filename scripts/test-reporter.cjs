/** Mocha's spec reporter with the closing line that people and CI read. */
const { reporters } = require('mocha');

module.exports = class extends reporters.Spec {
  epilogue() {
    super.epilogue();
    const { passes = 0, failures = 0, pending = 0 } = this.stats;
    process.stdout.write(`tests: ${passes} passed, ${failures} failed, ${pending} skipped\n`);
  }
};
