# SPDX-License-Identifier: Apache-2.0
"""Skips are listed loudly, or are failures where `TRUTHMARK_REQUIRE=all`.

A test may skip for one reason only: something is not to be had on this machine. Continuous
integration has everything, so there a skip would hide a hole.
"""

import os
from collections.abc import Generator
from typing import TypeVar

import pytest

Report = TypeVar("Report", pytest.TestReport, pytest.CollectReport)


def _strict(report: Report) -> Report:
    if os.environ.get("TRUTHMARK_REQUIRE") != "all" or not report.skipped:
        return report
    if hasattr(report, "wasxfail"):
        return report
    report.outcome = "failed"
    report.longrepr = f"skipped, although TRUTHMARK_REQUIRE=all: {_reason(report)}"
    return report


def _reason(report: pytest.TestReport | pytest.CollectReport) -> str:
    if isinstance(report.longrepr, tuple):
        return report.longrepr[2].removeprefix("Skipped: ")
    return str(report.longrepr)


class RequirePlugin:
    """Registered by tests/conftest.py."""

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        return _strict((yield))

    @pytest.hookimpl(wrapper=True)
    def pytest_make_collect_report(
        self,
    ) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
        return _strict((yield))

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        reasons: dict[str, int] = {}
        for report in terminalreporter.stats.get("skipped", []):
            reasons[_reason(report)] = reasons.get(_reason(report), 0) + 1
        if not reasons:
            return
        terminalreporter.section("NOT TESTED HERE", sep="!", yellow=True, bold=True)
        for reason, count in sorted(reasons.items()):
            terminalreporter.line(f"{count:5} skipped: {reason}", yellow=True)
