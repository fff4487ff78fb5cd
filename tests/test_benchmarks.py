"""Comparing the results of benchmarks, and holding them against the recorded limits."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest

from benchmarks import compare
from benchmarks.overhead.accounts import Account


def limits() -> dict[str, float]:
    loaded: dict[str, float] = json.loads(compare.LIMITS.read_text(encoding="utf-8"))
    return loaded


def test_processor_time_that_grew_by_five_percent_is_marked() -> None:
    before = {"bulk_cpu_us": 100.0, "allow_64_cpu_us": 100.0, "bulk_per_s": 100.0}
    now = {"bulk_cpu_us": 106.0, "allow_64_cpu_us": 104.0, "bulk_per_s": 50.0}

    lines = compare.differences(now, before)

    assert [line.split()[0] for line in lines if line.endswith("SLOWER")] == ["bulk_cpu_us"]
    assert [line.split()[3] for line in lines] == ["+6.0%", "+4.0%", "-50.0%"]


def test_figures_that_only_one_run_has_are_not_compared() -> None:
    assert compare.differences({"a": 1.0, "quick": True}, {"b": 1.0, "quick": True}) == []


def test_ratios_up_to_twice_the_recorded_ones_are_within_the_limits() -> None:
    figures = {name: 2 * value for name, value in limits().items()}

    assert compare.beyond_limits(figures) == []


@pytest.mark.parametrize("name", limits())
def test_a_ratio_above_twice_the_recorded_one_fails_the_check(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    figures = limits() | {name: 2.01 * limits()[name]}

    assert compare.report(figures, None, check=True) == 1
    assert f"{name} is" in capsys.readouterr().err


def test_saved_results_are_found_by_the_start_of_a_commit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compare, "RESULTS", tmp_path)
    for name in ("abc1", "abd2"):
        (tmp_path / f"{name}.json").write_text("{}")

    assert compare.kept("abc") == tmp_path / "abc1.json"
    with pytest.raises(SystemExit, match=r"'ab' names 2 saved results; saved: abc1, abd2"):
        compare.kept("ab")


def test_an_account_counts_the_commits_the_rows_and_the_bytes_of_a_log(tmp_path: Path) -> None:
    log = tmp_path / "log.db"
    connection = sqlite3.connect(log, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("CREATE TABLE stored_events (state BLOB)")
    before = Account.now(log)

    for _ in range(4):
        connection.execute("INSERT INTO stored_events VALUES (?), (?)", (b"12345", b"12345"))
    each = Account.now(log).each(before, commands=2)
    connection.close()

    assert (each["commits"], each["events"], each["bytes"]) == (2, 4, 20)
    assert each["cpu_us"] >= each["cpu_us_client"] >= 0
