# SPDX-License-Identifier: MIT
"""Runs test modules of the standard library, some at a time: run.py MODULE,...

/results/MODULE.json gets a line for each outcome, as it comes: [state, test, text]; MODULE.log what was printed.
A failing test does not fail the run.
"""
import concurrent.futures
import json
import os
import subprocess
import sys
import unittest

SECONDS = 300


def one(module):
    """The module's tests as regrtest runs them, with outcomes written down."""
    from test.libregrtest import main
    from test import support
    out = open("/results/%s.json" % module, "w", encoding="utf-8", errors="backslashreplace")

    def note(state, test, text=""):
        out.write(json.dumps([state, test.id(), text]) + "\n")
        out.flush()

    class Result(unittest.TextTestResult):
        def addSuccess(self, test):
            super().addSuccess(test)
            note("passed", test)

        def addExpectedFailure(self, test, err):
            super().addExpectedFailure(test, err)
            note("passed", test)

        def addSkip(self, test, reason):
            super().addSkip(test, reason)
            note("skipped", test, reason)

        def addFailure(self, test, err):
            super().addFailure(test, err)
            note("failed", test, self._exc_info_to_string(err, test))

        def addError(self, test, err):
            super().addError(test, err)
            note("failed", test, self._exc_info_to_string(err, test))

        def addSubTest(self, test, subtest, err):
            super().addSubTest(test, subtest, err)
            if err:
                note("failed", test, self._exc_info_to_string(err, test))

    support.get_test_runner = lambda stream, verbosity, capture_output=False: unittest.TextTestRunner(
        stream=stream, resultclass=Result, verbosity=2)
    sys.argv[1:] = ["--timeout", str(SECONDS), module]
    main()


def start(module):
    # each as if alone: its own session, its own folder
    home = "/tmp/%s.%d" % (module, os.getuid())
    os.makedirs(home)
    with open("/results/%s.log" % module, "wb") as log:
        try:
            subprocess.run([sys.executable, __file__, "--one", module], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                           start_new_session=True, check=False, timeout=SECONDS + 20, env=dict(os.environ, TMPDIR=home), cwd=home)
        except subprocess.TimeoutExpired:
            log.write(b"did not end in time\n")
    print(module, flush=True)


if sys.argv[1] == "--one":
    one(sys.argv[2])
else:
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        list(pool.map(start, sys.argv[1].split(",")))
