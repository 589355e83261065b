"""Files that a reader sees whole or not at all, and the temporary places where they are written."""

from __future__ import annotations

import json

import pytest
from airflow.providers.common.compat.sdk import ObjectStoragePath

from airflow_provider_retreaver.storage.line_files import Folder, write_jsonl
from airflow_provider_retreaver.storage.temporary_folders import TemporaryFolder
from airflow_provider_retreaver.storage.whole_files import remove_if_empty, replace_text, replacing

pytestmark = pytest.mark.airflow


@pytest.fixture
def root(tmp_path):
    """Return a local folder as object storage."""
    return ObjectStoragePath(f"file://{tmp_path}")


def names(folder):
    """Return the names of everything below a folder."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def test_two_writers_of_one_file_do_not_disturb_each_other(root, tmp_path):
    """Each writes a temporary file of its own, and the last one to finish wins."""
    file = root / "state.json"
    with replacing(file) as first:
        first.write_text("first")
        with replacing(file) as second:
            second.write_text("second")
        assert file.read_text() == "second"
    assert file.read_text() == "first"
    assert names(tmp_path) == ["state.json"]


def test_a_block_that_fails_leaves_the_file_as_it_was(root, tmp_path):
    """The temporary file is removed and the error passes."""
    file = root / "run" / "state.json"
    replace_text(file, "old")
    with pytest.raises(UnicodeEncodeError), replacing(file) as draft, draft.open("w", encoding="ascii") as out:
        out.writelines(["half", "\u2026"])
    assert file.read_text() == "old"
    assert names(tmp_path) == ["run", "run/state.json"]


def test_a_failed_block_makes_no_folder_for_a_file_that_is_written_elsewhere(root, tmp_path):
    """The file's folder is made when the file is whole."""
    temporary = TemporaryFolder(root, "export")
    with pytest.raises(RuntimeError), replacing(root / "day" / "call.mp3", temporary.new_file()):
        raise RuntimeError
    temporary.remove()
    assert names(tmp_path) == []


def test_a_folder_that_holds_a_file_is_not_removed(root, tmp_path):
    """Neither is a missing one an error."""
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "part").write_text("half")
    remove_if_empty(root / "full")
    remove_if_empty(root / "missing")
    assert names(tmp_path) == ["full", "full/part"]


def test_half_an_emoji_stops_no_file(root, tmp_path):
    """A row or a rejected line with half a character is written: UTF-8 has no bytes for it, so it is replaced."""
    written = write_jsonl(f"file://{tmp_path}/rows.jsonl", [{"t": "half \ud83d"}, {"t": "\U0001f600"}])
    lines = (tmp_path / "rows.jsonl").read_bytes().splitlines()
    assert [json.loads(line) for line in lines] == [{"t": "half \ufffd"}, {"t": "\U0001f600"}]
    assert written["rows"] == 2
    Folder(root).write("rejects.csv", ["half \ud83d"])
    assert (tmp_path / "rejects.csv").read_text() == "half \\ud83d\n"


def test_numbers_that_are_none_are_texts(tmp_path):
    """NaN and Infinity, which a response may hold, leave a file of valid JSON, and nothing is lost."""
    file = tmp_path / "rows.jsonl"
    rows = [{"id": 1, "rate": float("nan"), "deep": [{"most": float("inf")}, float("-inf")]}, {"id": 2, "rate": 1.5}]
    write_jsonl(file.as_uri(), rows)

    def refuse(name):
        raise AssertionError(name)

    read = [json.loads(line, parse_constant=refuse) for line in file.read_text().splitlines()]
    assert read == [{"id": 1, "rate": "NaN", "deep": [{"most": "Infinity"}, "-Infinity"]}, {"id": 2, "rate": 1.5}]
