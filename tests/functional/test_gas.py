# SPDX-License-Identifier: Apache-2.0
"""Gas is what is recorded, and within what is promised: measured again from receipts."""

import json

import pytest

from bench import gas, gas_bounties
from bench.report import ROOT, SIZE_LIMIT, Figure, read

ARTIFACTS = ROOT / "truthmark" / "chain" / "artifacts"


@pytest.fixture(scope="module")
def measured() -> list[Figure]:
    return gas.measure()


@pytest.mark.chain
def test_gas__measured_again__is_within_a_hundredth_of_the_record(
    measured: list[Figure],
) -> None:
    differences = gas.changes(gas.recorded(), measured)
    assert not differences, "explain the change in the commit that records it: `make gas`"


@pytest.mark.chain
def test_gas__every_promise__is_kept(measured: list[Figure]) -> None:
    broken = [it.name for it in measured if it.holds is False]
    assert broken == []
    promised = {it.name for it in measured if it.floor is not None}
    assert len(promised) >= 16


@pytest.mark.chain
def test_gas__small_bounties_measured_again__are_within_a_hundredth_of_the_record() -> None:
    # Whole bounties of 1 and of 10 workers; the rest is for `python -m bench.gas_bounties`.
    again = gas_bounties.measure((1, 10))
    names = {it.name for it in again}
    assert len(names) == 5
    record = [it for it in read("gas_bounties") if it.name in names]
    differences = gas.changes(record, again)
    assert not differences, "explain the change in the commit that records it"
    assert all(it.holds is not False for it in read("gas_bounties"))


def test_gas__sizes_of_the_contracts__are_those_of_the_record() -> None:
    figures = [*gas.recorded(), *read("gas_bounties")]
    recorded = {it.name: it.value for it in figures if it.unit == "bytes"}
    assert recorded == {
        f"size of {path.stem}": json.loads(path.read_text())["deployed_size"]
        for path in ARTIFACTS.glob("*.json")
        if path.stem not in ("ProtocolToken", "AllowListGate", "RecordGate")
    }
    assert max(recorded.values()) <= SIZE_LIMIT


def test_gas__page__shows_the_record() -> None:
    assert gas.DOCUMENT.read_text("utf-8") == gas.document(gas.recorded())


def test_changes__more_than_a_hundredth_or_a_row_more_or_less__are_told() -> None:
    def figure(name: str, value: int, floor: int | None = None) -> Figure:
        return Figure(name=name, value=value, unit="gas", floor=floor)

    record = [figure("a", 1_000), figure("b", 1_000, 2_000), figure("c", 1_000)]
    same = [figure("a", 1_010), figure("b", 990, 2_000), figure("c", 1_000)]
    assert gas.changes(record, same) == []
    other = [figure("a", 1_011), figure("b", 989, 2_001), figure("d", 1_000)]
    assert gas.changes(record, other) == [
        "a: 1,000 recorded, 1,011 now (+1.1%)",
        "b: 1,000 recorded, 989 now (-1.1%)",
        "b: another promise than recorded",
        "c: recorded, but not measured",
        "d: measured, but not recorded",
    ]
