"""`make ui`: taken ports, a folder that is in use or cannot be written to, and what the example DAGs find."""

from __future__ import annotations

import json
import shlex
import socket
import sqlite3
from contextlib import closing
from urllib.request import urlopen

import pytest


@pytest.fixture
def ui(script):
    """Load the script."""
    return script("ui")


@pytest.fixture
def taken():
    """Listen on a port, and return it."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_a_chosen_port_that_is_taken_is_named(ui, taken, tmp_path, capsys):
    """Nothing is started, and one line names the port and what to do."""
    assert ui.main(["--port", str(taken), "--folder", str(tmp_path)]) == 1
    assert capsys.readouterr().err == (
        f"failed: port {taken} for Airflow cannot be used (Address already in use); choose another one: make ui "
        f"PORT={taken + 1}\n"
    )
    assert ui.main(["--port", "0", "--sandbox-port", "70000", "--folder", str(tmp_path)]) == 1
    assert "port 70000 for the sandbox is none (they are 1 to 65535); choose" in capsys.readouterr().err


def test_another_port_instead_of_the_usual_one(ui, taken, capsys):
    """Where the usual port is taken, a free one is used, which is said."""
    port = ui.choose_port("Airflow", "PORT", None, taken)
    assert port not in (0, taken)
    assert capsys.readouterr().out == (
        f"port {taken} cannot be used (Address already in use): Airflow gets port {port} "
        f"(make ui PORT=… chooses one)\n"
    )


def test_a_second_start_beside_the_first_is_refused(ui, tmp_path, capsys):
    """A second start in the same clone touches nothing, and names the first one."""
    with ui.LocalAirflow(tmp_path).prepared("make ui"):
        (tmp_path / "airflow.db").touch()
        assert ui.main(["--folder", str(tmp_path)]) == 1
        assert (tmp_path / "airflow.db").exists()
    assert "failed: make ui (process " in (line := capsys.readouterr().err)
    assert line.endswith(") is running in this clone; end it with Ctrl-C first\n")


def test_a_folder_that_cannot_be_made_is_named(ui, tmp_path, capsys):
    """A clone that cannot be written to is one line."""
    (tmp_path / "file").touch()
    assert ui.main(["--folder", str(tmp_path / "file" / "ui")]) == 1
    assert capsys.readouterr().err == (
        f"failed: {tmp_path}/file/ui cannot be written to (Not a directory); make this clone writable, or clone "
        f"elsewhere\n"
    )


def test_a_start_begins_anew(ui, tmp_path):
    """What an earlier account left is gone; the copy of the empty database is kept."""
    local = ui.LocalAirflow(tmp_path)
    for name in ("storage/calls", "logs"):
        (tmp_path / name).mkdir(parents=True)
    for name in ("airflow.db", "airflow.cfg", "storage/calls/cursor.json", "warehouse.db", "migrated.db"):
        (tmp_path / name).touch()
    with local.prepared("make ui"):
        assert {path.name for path in tmp_path.iterdir()} == {"lock", "migrated.db", "tmp", "logs", "home"}


def test_what_the_examples_find(ui, script, tmp_path):
    """Sales are of calls of the account, files go into the folder, and the printed commands are accepted."""
    local = ui.LocalAirflow(tmp_path / "a folder")
    with local.prepared("a test"), local.sandbox() as url:
        tour = ui.Tour(local.home, url, "http://127.0.0.1:1", "http://127.0.0.1:9")
        tour.prepare()
        assert tour.variables()["retreaver_storage"] == f"file://{tmp_path}/a folder/storage"
        assert tour.connections().keys() >= {"retreaver_default", "trackdrive_default", "warehouse", "crm"}
        with closing(sqlite3.connect(tour.warehouse)) as database:
            uuid, caller = database.execute("SELECT call_uuid, caller_number FROM sales LIMIT 1").fetchone()
        query = "api_key=sandbox-key&company_id=1"
        with urlopen(f"{url}/api/v2/calls/{uuid}.json?{query}", timeout=60) as answer:
            assert json.load(answer)["call"]["caller"] == caller
        for _, command in tour.commands():
            _, _, _, address, _, body = shlex.split(command)
            assert address.startswith(f"{url}/__sandbox__/")
            script("local_airflow").post_json(address, json.loads(body))
