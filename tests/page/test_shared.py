"""One poll for several processes: what one has read, or failed to read, the others show."""

from __future__ import annotations

import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta

import pytest

from airflow_provider_retreaver.core.errors import ConnectionFailed
from airflow_provider_retreaver.core.secrets import Secret, register_secrets
from airflow_provider_retreaver.domain.objects.key import group_key, target_key
from airflow_provider_retreaver.domain.watching.pool_headroom import PoolSize
from airflow_provider_retreaver.page.calls import CallsRead, Line, Totals
from airflow_provider_retreaver.page.caps import CapsRead, ReadRow, read_caps
from airflow_provider_retreaver.page.numbers import IdleNumber, NumbersRead
from airflow_provider_retreaver.page.polls import Polls
from airflow_provider_retreaver.page.shared import SharedPolls

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)
ROW = {"id": 3, "name": "Acme", "caps": [{"type": "HardCap", "cap": 5, "filled": 2}], "business_hours": []}
CAPS = CapsRead({target_key(3): ReadRow(ROW, NOW), group_key(3): ReadRow({"id": 3}, NOW, "gone")}, 1)
CALLS = CallsRead({NOW: Totals(1, 1, 2.5, 1.5)}, {"buyer": (Line("Acme", Totals(3)),)}, frozenset({NOW}))
NUMBERS = NumbersRead((PoolSize(1, "c", 2, 3),), 4, 5, (IdleNumber(1, "+1", "c", "a", "s", "2026-01-01"),))
KEY = ("account", "view")


def process(folder, seconds=0.0, **options):
    """Return the polls of one of several processes, whose clock is so many seconds on."""
    return Polls(lambda: NOW + timedelta(seconds=seconds), shared=SharedPolls(folder / "shared", **options))


def reading(value, calls):
    """Return a poll that notes what it is called with."""

    def read(now, before):
        calls.append(before)
        if isinstance(value, Exception):
            raise value
        return value

    return read


def test_one_process_polls_for_all(tmp_path):
    """Within 30 seconds the others show what the first has read, with its time; then one of them polls again."""
    calls = []
    first = process(tmp_path).get(KEY, reading("figures", calls), str, 10)
    for seconds in (1, 29):
        shown = process(tmp_path, seconds).get(KEY, reading("others", calls), str, 10)
        assert (shown.value, shown.read_at) == ("figures", NOW)
    assert first.value == "figures"
    assert calls == [None]
    assert process(tmp_path, 31).get(KEY, reading("newer", calls), str, 10).value == "newer"
    assert process(tmp_path, 32).get(KEY, reading("others", calls), str, 10).value == "newer"
    assert calls == [None, "figures"]


@pytest.mark.parametrize("seconds", [-300, 300])
def test_a_machine_with_another_clock_polls_itself(tmp_path, seconds):
    """What was read in its future is no newer than what was read long ago."""
    calls = []
    process(tmp_path).get(KEY, reading("figures", calls), str, 10)
    assert process(tmp_path, seconds).get(KEY, reading("its own", calls), str, 10).value == "its own"
    assert calls == [None, "figures"]


def test_a_failure_is_shared(tmp_path):
    """An account that is down is asked by one process, and what was read before is shown by all."""
    calls = []
    process(tmp_path).get(KEY, reading("figures", calls), str, 10)
    process(tmp_path, 40).get(KEY, reading(ConnectionFailed("It is down."), calls), str, 10)
    shown = process(tmp_path, 41).get(KEY, reading("others", calls), str, 10)
    assert (shown.value, shown.read_at, shown.error) == ("figures", NOW, "It is down.")
    assert len(calls) == 2


def test_a_process_waits_for_the_poll_of_another(tmp_path):
    """Who comes while another process polls waits for that, and reads what it has read."""
    calls, gate, entered = [], threading.Event(), threading.Event()

    def slow(now, before):
        entered.set()
        gate.wait(30)
        return "figures"

    process(tmp_path).get(KEY, slow, str, 0)
    assert entered.wait(30)
    other = process(tmp_path)
    assert other.get(KEY, reading("others", calls), str, 0).reading
    gate.set()
    assert other.get(KEY, reading("others", calls), str, 30).value == "figures"
    assert calls == []


def test_a_process_that_hangs_is_not_waited_for(tmp_path):
    """A poll of another process that does not end is waited for some time; then this process polls for itself."""
    calls = []
    with SharedPolls(tmp_path / "shared").turn(KEY, str):
        assert process(tmp_path, patience=0.05).get(KEY, reading("own", calls), str, 30).value == "own"
    assert not list((tmp_path / "shared").glob("*.json"))


def test_every_kind_comes_back(tmp_path):
    """Caps, sums and numbers are the same in the process that reads them from the file."""
    for kind, value in ((CallsRead, CALLS), (NumbersRead, NUMBERS)):
        process(tmp_path).get((kind.__name__,), reading(value, []), kind, 10)
        assert process(tmp_path).get((kind.__name__,), reading(None, []), kind, 10).value == value
    process(tmp_path).get(KEY, reading(CAPS, []), CapsRead, 10)
    found = process(tmp_path).get(KEY, reading(None, []), CapsRead, 10).value
    assert (found.rows, found.left) == (CAPS.rows, CAPS.left)


def test_accounts_and_views_have_files_of_their_own(tmp_path):
    """What is read of one account is shown for no other, and no name of a file tells which it is."""
    process(tmp_path).get(("one", "caps"), reading("one", []), str, 10)
    assert process(tmp_path).get(("two", "caps"), reading("two", []), str, 10).value == "two"
    assert not [file for file in (tmp_path / "shared").iterdir() if "caps" in file.name]


def test_only_this_user_may_read_it(tmp_path):
    """The folder belongs to this user alone; one that others may enter is not used."""
    process(tmp_path).get(KEY, reading("figures", []), str, 10)
    assert (tmp_path / "shared").stat().st_mode & 0o777 == 0o700
    (tmp_path / "shared").chmod(0o755)
    assert process(tmp_path).get(KEY, reading("own", []), str, 10).value == "own"
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    (tmp_path / "link").mkdir()
    (tmp_path / "link" / "shared").symlink_to(tmp_path / "elsewhere")
    assert process(tmp_path / "link").get(KEY, reading("own", []), str, 10).value == "own"
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_a_damaged_file_is_read_over(tmp_path):
    """What another release has written, or nobody, leads to a poll."""
    process(tmp_path).get(KEY, reading("figures", []), str, 10)
    (file,) = (tmp_path / "shared").glob("*.json")
    for text in (b"", b"{", b'{"state": 5}', b'{"state": {"value": 7}, "tried_at": "2026-11-27T12:00:00Z"}'):
        file.write_bytes(text)
        assert process(tmp_path).get(KEY, reading("own", []), str, 10).value == "own"


def test_a_killed_process_ends_its_turn(tmp_path):
    """A process that is killed amid its poll does not keep the others from polling."""
    program = (
        "import sys, time; from pathlib import Path\n"
        "from airflow_provider_retreaver.page.shared import SharedPolls\n"
        f"with SharedPolls(Path({str(tmp_path / 'shared')!r})).turn({KEY!r}, str):\n"
        "    print('in', flush=True); time.sleep(600)\n"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as other:
        other.stdout.readline()
        other.kill()
    assert process(tmp_path).get(KEY, reading("own", []), str, 30).value == "own"


def test_no_secret_and_no_number_is_in_a_file(tmp_path):
    """What a file has of targets is what is shown: no phone number, and a secret in a name is masked."""
    register_secrets([Secret("key-of-this-test-0123")])
    row = {**ROW, "name": "Acme key-of-this-test-0123", "number": "+12125550123", "target_ids": []}
    procedure = read_caps(NOW, None)
    next(procedure)
    procedure.send([row])
    try:
        procedure.send([])
    except StopIteration as done:
        value = done.value
    process(tmp_path).get(KEY, reading(value, []), CapsRead, 10)
    (file,) = (tmp_path / "shared").glob("*.json")
    text = file.read_text()
    assert "Acme ***" in text
    assert "key-of-this-test" not in text
    assert "5550123" not in text
