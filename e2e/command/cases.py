"""Runs all cases, and closes with the count."""

import sys
import unittest

import answers
import readme
import tokens

load = unittest.defaultTestLoader.loadTestsFromModule
suite = unittest.TestSuite(load(module) for module in (tokens, answers, readme))
result = unittest.TextTestRunner(verbosity=2).run(suite)
# One case may fail at several of its inputs.
failed = len({getattr(test, "test_case", test).id() for test, _ in result.failures + result.errors})
print(f"{result.testsRun - failed} passed, {failed} failed")
sys.exit(failed > 0)
