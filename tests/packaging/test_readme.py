"""What README and docs show is what is there; their Python samples run in `tests/airflow/dags/test_samples.py`."""

from __future__ import annotations

import argparse
import json
import re
import shlex
import tomllib
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
import yaml

from airflow_provider_retreaver.core.messages import Host
from airflow_provider_retreaver.core.settings import Settings
from airflow_provider_retreaver.core.trackdrive_settings import TrackDriveSettings
from airflow_provider_retreaver.sandbox.__main__ import build_parser
from airflow_provider_retreaver.sandbox.local_server import run_sandbox
from airflow_provider_retreaver.sandbox.options import SandboxOptions
from tests.paths import PROJECT

README = (PROJECT / "README.md").read_text(encoding="utf-8")
QUOTES = re.findall(r"<!-- begin (\S+) -->\n```python\n(.*?)```\n<!-- end \1 -->", README, re.DOTALL)
DOCUMENTS = [README, *(path.read_text(encoding="utf-8") for path in sorted((PROJECT / "docs").rglob("*.md")))]
COMMANDS = [
    line
    for document in DOCUMENTS
    for block in re.findall(r"```sh\n(.*?)```", document, re.DOTALL)
    for line in block.splitlines()
    if line.strip()
]
CURLS = [command for command in COMMANDS if command.startswith("curl ")]
FIELD_NAMES = ("conn_type", "login", "password", "host", "port", "extra")


def test_examples_are_quoted_as_they_are():
    """Every quoted file stands in the README letter by letter, and the example DAG is among them."""
    assert "example_dags/retreaver_nightly_cap_reset.py" in {name for name, _ in QUOTES}
    for name, text in QUOTES:
        assert text == (PROJECT / name).read_text(encoding="utf-8"), name


def test_every_command_is_of_a_kind_that_is_checked():
    """No command is shown that nothing checks."""
    kinds = (
        "make ",
        "pip install ",
        "airflow connections add ",
        "airflow connections test retreaver_default",
        "airflow standalone",
        "export AIRFLOW_CONN_",
        "export AIRFLOW__CORE__TEST_CONNECTION=Enabled",
        ".venv/bin/retreaver-sandbox",
        "retreaver-sandbox",
        "curl ",
    )
    assert [command for command in COMMANDS if not command.startswith(kinds)] == []
    assert len(COMMANDS) >= 10


def test_make_commands_are_there_and_all_are_told():
    """Every `make` command in the README is in the Makefile with its help, and the other way round."""
    makefile = (PROJECT / "Makefile").read_text(encoding="utf-8")
    there = set(re.findall(r"^([a-z0-9-]+):.*## ", makefile, re.MULTILINE))
    message = set(re.findall(r"`make ([a-z0-9-]+)`", README))
    run = {command.split()[-1] for command in COMMANDS if command.startswith("make ")}
    assert message == there
    assert run <= there


def test_extras_are_declared():
    """Every extra that the README installs is declared."""
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert set(re.findall(r"pip install '\.\[(\w+)\]'", "".join(DOCUMENTS))) <= set(project["optional-dependencies"])


@pytest.mark.parametrize(
    "command", [line for line in COMMANDS if "conn_type" in line], ids=lambda line: line.split()[0]
)
def test_connections_are_accepted(command):
    """The connections in the README are ones that the package takes."""
    (text,) = re.findall(r"'(\{.*\})'", command)
    fields = json.loads(text)
    assert set(fields) <= set(FIELD_NAMES)
    assert fields.pop("conn_type") == "retreaver"
    assert Settings.parse("retreaver_default", **fields).company_id == fields["login"]


def test_the_connection_to_trackdrive_is_accepted():
    """The connection on the page of connections is one that the package takes, and the page names all its extras."""
    from airflow_provider_retreaver.provider_info import TRACKDRIVE_FIELDS

    page = (PROJECT / "docs" / "connections.md").read_text(encoding="utf-8")
    section = page.partition("## TrackDrive")[2].partition("\n## ")[0]
    fields = json.loads(re.findall(r"'(\{.*\})'", section)[0])
    assert fields.pop("conn_type") == "trackdrive"
    settings = TrackDriveSettings.parse("trackdrive_default", **fields)
    assert settings.urls == {Host.API: "https://acme.trackdrive.com/api/v1"}
    assert set(TRACKDRIVE_FIELDS) <= set(re.findall(r"`(\w+)`", section))


def test_every_extra_is_told():
    """The table of extras and the connection form name the same extras."""
    from airflow_provider_retreaver.provider_info import CUSTOM_FIELDS

    table = README.partition("| extra | meaning")[2].partition("\n\n")[0]
    message = {
        name for row in table.splitlines() for name in re.findall(r"`(\w+)`", row.split("|")[1] if "|" in row else "")
    }
    assert message == set(CUSTOM_FIELDS)


@pytest.mark.parametrize("command", [line for line in COMMANDS if "retreaver-sandbox " in line])
def test_sandbox_commands_are_understood(command, capsys):
    """The sandbox understands the options that the README gives it."""
    arguments = shlex.split(command)[1:]
    if "--help" in arguments:
        with pytest.raises(SystemExit) as ended:
            build_parser().parse_args(arguments)
        assert ended.value.code == 0
        assert "/__sandbox__/" in capsys.readouterr().out
    else:
        assert build_parser().parse_args(arguments).load == "demo"


@pytest.fixture(scope="module")
def sandbox_url():
    """Serve the sandbox with its demo data."""
    with run_sandbox(SandboxOptions(load="demo")) as served:
        yield served.url


@pytest.mark.parametrize("command", CURLS)
def test_curl_commands_are_answered(command, sandbox_url):
    """Every curl command in the README gets an answer with success from the sandbox."""
    curl = argparse.ArgumentParser()
    curl.add_argument("url")
    curl.add_argument("-X", default="GET")
    curl.add_argument("-d")
    asked = curl.parse_args(shlex.split(command)[1:])
    url = asked.url.replace("http://127.0.0.1:8787", sandbox_url)
    body = None if asked.d is None else asked.d.encode()
    assert url.startswith(sandbox_url)
    try:
        with urlopen(Request(url, data=body, method=asked.X), timeout=120) as answer:
            assert answer.status < 300
    except HTTPError as error:
        with error:
            raise AssertionError(f"{command}: {error.code} {error.read()[:200]!r}") from None


def test_compose_file_is_true():
    """The Compose file's sandbox, connection and image are those of this project; no container engine is used."""
    compose = yaml.safe_load((PROJECT / "compose.yaml").read_text(encoding="utf-8"))
    sandbox, airflow = compose["services"]["sandbox"], compose["services"]["airflow"]
    options = build_parser().parse_args(sandbox["command"])
    fields = json.loads(airflow["environment"]["AIRFLOW_CONN_RETREAVER_DEFAULT"])
    assert fields.pop("conn_type") == "retreaver"
    settings = Settings.parse("retreaver_default", **fields)
    assert set(settings.urls.values()) == {f"http://sandbox:{options.port}"}
    assert (fields["password"], options.allow_host) == (options.api_key, ["sandbox"])
    assert "ports" not in sandbox
    assert airflow["ports"] == ["127.0.0.1:8080:8080"]
    (version,) = re.findall(
        r"^apache-airflow==(.*)$", (PROJECT / "constraints/airflow-3.3.txt").read_text(), re.MULTILINE
    )
    for text in (sandbox["build"]["dockerfile_inline"], (PROJECT / "docs/deployment.md").read_text(encoding="utf-8")):
        assert f"FROM apache/airflow:{version}-python3.12\n" in text
        assert f" apache-airflow=={version}\n" in text
