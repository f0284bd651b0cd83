"""A plugin of pytest that says, a line of JSON each, which test begins and how it ends."""
import json
import sys

import pytest

_out = sys.__stdout__


def _say(**event):
    _out.write("\n@compat " + json.dumps(event) + "\n")
    _out.flush()


def _name(nodeid):
    # kazoo/tests/test_lock.py::KazooLockTests::test_lock -> test_lock KazooLockTests.test_lock
    path, _, rest = nodeid.partition("::")
    return path.rpartition("/")[2][: -len(".py")] + " " + rest.replace("::", ".")


class _Reporter:
    def __init__(self):
        self.wanted = None
        self.outcome, self.reason = None, ""

    def pytest_collection_modifyitems(self, config, items):
        path = config.getoption("--compat-tests")
        if not path:
            return
        with open(path) as f:
            wanted = [line.strip() for line in f if line.strip()]
        by_name = {_name(item.nodeid): item for item in items}
        items[:] = [by_name[name] for name in wanted if name in by_name]

    def pytest_collection_finish(self, session):
        if session.config.option.collectonly:
            for item in session.items:
                _say(test=_name(item.nodeid), event="known")

    def pytest_runtest_logstart(self, nodeid, location):
        self.outcome, self.reason = "pass", ""
        _say(test=_name(nodeid), event="begin")

    def pytest_runtest_logreport(self, report):
        # setup, call and teardown each report; the first that is bad counts.
        if report.passed or self.outcome == "fail":
            return
        self.outcome = "skip" if report.skipped else "fail"
        if isinstance(report.longrepr, tuple):
            self.reason = str(report.longrepr[2])
        else:
            crash = getattr(report.longrepr, "reprcrash", None)
            self.reason = "%s: %s" % (crash.path.rpartition("/")[2], crash.message) if crash else str(report.longrepr)

    def pytest_runtest_logfinish(self, nodeid, location):
        _say(test=_name(nodeid), event="end", outcome=self.outcome, reason=self.reason[:1000])


def pytest_addoption(parser):
    parser.addoption("--compat-tests", help="file with the names of the tests to run, in order")


def pytest_configure(config):
    config.pluginmanager.register(_Reporter())
