"""Runs the tests of this folder, one line for each, and says how many there were.

    run.py [NAME…]      only test_NAME.py
"""

import os
import sys
import unittest
from pathlib import Path

HERE = Path(__file__).parent


class Result(unittest.TestResult):
    passed = 0

    def _line(self, kind, test, detail=""):
        print(f"{kind:5} {test.id()}", flush=True)
        if detail:
            print(detail, flush=True)

    def addSuccess(self, test):
        self.passed += 1
        self._line("ok", test)

    def addFailure(self, test, error):
        super().addFailure(test, error)
        self._line("FAIL", test, self.failures[-1][1])

    def addError(self, test, error):
        super().addError(test, error)
        self._line("FAIL", test, self.errors[-1][1])

    def addSubTest(self, test, subtest, error):
        super().addSubTest(test, subtest, error)
        if error is not None:
            self._line("FAIL", subtest, self._exc_info_to_string(error, test))

    def addSkip(self, test, reason):
        self.addFailure(test, (AssertionError, AssertionError(f"skipped: {reason}"), None))


def main():
    names = [f"test_{name}" for name in sys.argv[1:]] or sorted(path.stem for path in HERE.glob("test_*.py"))
    loader = unittest.defaultTestLoader
    wanted = os.environ.get("CHECK_ONLY")
    loader.testNamePatterns = [f"*{wanted}*"] if wanted else None
    result = Result()
    loader.loadTestsFromNames(names).run(result)
    failed = len(result.failures) + len(result.errors)
    print(f"{result.passed} passed, {failed} failed", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
