"""With TAAE_FORBID_SKIPS set, a test that would be skipped fails: what it needs should be there.

But for those marked `outside`: they need data that are no part of the project, or a heavy extra.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Iterator[pytest.TestReport]:
    report: pytest.TestReport = yield
    forbidden = os.environ.get("TAAE_FORBID_SKIPS") and not item.get_closest_marker("outside")
    if forbidden and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped, which is forbidden here: {report.longrepr}"
    return report
