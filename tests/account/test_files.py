"""What is wrong with files is told with file, line, key and remedy, before anything is sent."""

from __future__ import annotations

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_retreaver.account.files import read_files
from airflow_provider_retreaver.account.nodes import read_yaml, write_yaml
from airflow_provider_retreaver.account.schema import AccountFile, json_schema
from airflow_provider_retreaver.core.errors import InvalidArgument

BAD = {
    "a tab": ("targets:\n\tacme: {}\n", r"a\.yaml:2: found character"),
    "no mapping": ("- a\n", r"a\.yaml:1: a file is a mapping"),
    "an unknown section": ("targts: {}\n", r"a\.yaml:1: unknown key 'targts'; did you mean 'targets'\?"),
    "an unknown field": (
        "targets:\n  acme:\n    nmae: A\n",
        r"a\.yaml:3: targets/acme: unknown key 'nmae'; did you mean 'name'\?",
    ),
    "an unknown cap": (
        "targets:\n  acme:\n    caps: {hrd: 1}\n",
        r"a\.yaml:3: targets/acme: caps: unknown key 'hrd'; did you mean 'hard'\?",
    ),
    "a wrong type": (
        "targets:\n  acme:\n    paused: 'yes'\n",
        r"a\.yaml:3: targets/acme: paused: Expected `bool`, got `str`",
    ),
    "a number that is a text": (
        "targets:\n  acme:\n    name: 12\n",
        r"a\.yaml:3: targets/acme: name: Expected `str \| null`, got `int`; put a text in quotes",
    ),
    "a missing field": ("campaigns:\n  a:\n    timers: [{seconds: 1}]\n", r"a\.yaml:3: .*url is missing"),
    "a wrong item": (
        "campaigns:\n  a:\n    timers:\n    - {seconds: 1, url: x}\n    - {seconds: soon, url: x}\n",
        r"a\.yaml:5: campaigns/a: timers: seconds: Expected `int`, got `str`",
    ),
    "numbers in a list of texts": (
        "targets:\n  acme:\n    groups: [1, roofers]\n",
        r"a\.yaml:3: targets/acme: groups: Expected `str`, got `int`; put a text in quotes",
    ),
    "no list to ignore": ("targets: {acme: {ignore: 5}}\n", r"a\.yaml:1: targets/acme: ignore: Expected `array`"),
    "a key twice": ("targets:\n  acme: {}\n  acme: {}\n", r"a\.yaml:3: the key 'acme' is here and on line 2"),
    "itself": ("targets: &a\n  acme: *a\n", "contains itself"),
    "a tag of YAML": ("targets: !python/object:os.system {}\n", "has no meaning here"),
    "no object": ("targets:\n  acme: 5\n", r"a\.yaml:2: targets/acme: an object is a mapping"),
    "no section": ("targets: [acme]\n", r"a\.yaml:1: targets: this must be a mapping"),
    "a number without a plus": (
        'numbers:\n  "8005550100": {}\n',
        r"a\.yaml:2: numbers/8005550100: the key of a number",
    ),
    "a purchase without a campaign": (
        "numbers:\n  new: {affiliate: a, purchase: {key: k, type: Local}}\n",
        "a number to buy needs its campaign",
    ),
    "a purchase with a SubID": (
        "numbers:\n  new: {campaign: a, affiliate: a, sid: x, purchase: {key: k, type: Local}}\n",
        "leave out sid",
    ),
    "a purchase of a known number": (
        'numbers:\n  "+18005550100": {campaign: a, affiliate: a, purchase: {key: k, type: Local}}\n',
        "not known before",
    ),
    "a secret": ("targets:\n  acme: {sip_password: hunter2}\n", r"a\.yaml:2: targets/acme: sip_password: Expected"),
    "two places of a secret": ("targets:\n  acme: {sip_password: {}}\n", "either connection or env"),
    "a key in a URL": (
        "campaigns:\n  a: {timers: [{seconds: 1, url: 'http://x.example/?api_key=12345678'}]}\n",
        "timers holds a secret",
    ),
    "an unknown ignore": ("targets:\n  acme: {ignore: [cap]}\n", "ignore has the unknown field 'cap'"),
    "a name of a group": ("target_groups:\n  a: {name: b}\n", "use `moved` to rename it"),
    "removed and there": ("targets: {a: {}}\nremoved: [targets/a]\n", "in the files and in removed"),
    "no address": (
        "removed: [target/a]\n",
        r"a\.yaml:1: removed: 'target/a' is no address; did you mean targets/a\?",
    ),
    "moved to nothing": ("moved: [{from: targets/a, to: targets/b}]\n", "targets/b is not in the files"),
    "moved and there": (
        "targets: {a: {}, b: {}}\nmoved: [{from: targets/a, to: targets/b}]\n",
        "targets/a is in the files still",
    ),
    "moved in a circle": (
        "targets: {a: {}, b: {}}\nmoved: [{from: targets/a, to: targets/b}, {from: targets/b, to: targets/a}]\n",
        "a circle or a chain",
    ),
    "moved to another kind": (
        "targets: {a: {}}\nmoved: [{from: campaigns/a, to: targets/a}]\n",
        "campaigns/a cannot become targets/a",
    ),
    "moved twice": (
        "targets: {b: {}}\nmoved: [{from: targets/a, to: targets/b}, {from: targets/c, to: targets/b}]\n",
        "is moved twice",
    ),
    "an unknown variable": (
        "vars: {city: x}\ntargets:\n  acme: {name: '${cty}'}\n",
        r"a\.yaml:3: targets/acme/name: there is no variable 'cty'; did you mean 'city'\?",
    ),
    "half a variable": ("targets:\n  acme: {name: 'a ${'}\n", "`\\$\\$\\{` for the text"),
    "no UTF-8 key": ("targets:\n  ? [a]\n  : {}\n", "a key must be a text"),
    "too deep": ("[" * 100_000, "nested more than 100 times"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_mistake_is_told_with_its_place(name):
    """File, line, key, what is wrong and what to do."""
    text, message = BAD[name]
    with pytest.raises(InvalidArgument, match=message) as refusal:
        read_files([("a.yaml", text)])
    assert "hunter2" not in str(refusal.value)
    assert "12345678" not in str(refusal.value)


def test_all_mistakes_are_told_at_once():
    """Ten of them, and how many more there are."""
    text = "targets:\n" + "".join(f"  t{number}: {{nmae: x}}\n" for number in range(13))
    with pytest.raises(InvalidArgument, match=r"targets/t0.*targets/t9.*and 3 more"):
        read_files([("a.yaml", text)])


def test_several_files_are_one():
    """Sections and lists add up; what is written twice is refused with both places."""
    files = read_files(
        [
            ("a.yaml", "company: 1\ntargets: {a: {name: A}}\nremoved: [targets/x]\n"),
            (
                "b.yaml",
                "company: 1\ntargets: {b: {name: B}}\nremoved: [targets/y]\ndefaults: {targets: {weight: 2}}\n",
            ),
        ]
    )
    assert (list(files.objects), files.removed) == (["targets/a", "targets/b"], ["targets/x", "targets/y"])
    assert [one.written["weight"] for one in files.objects.values()] == [2, 2]
    with pytest.raises(InvalidArgument, match=r"b\.yaml:1: targets/a: this is written at a\.yaml:1 too"):
        read_files([("a.yaml", "targets: {a: {}}\n"), ("b.yaml", "targets: {a: {}}\n")])
    with pytest.raises(InvalidArgument, match=r"b\.yaml:1: company: this is written at a\.yaml:1 too"):
        read_files([("a.yaml", "company: 1"), ("b.yaml", "company: 2")])


def test_an_environment_and_variables_override():
    """An overlay replaces field by field, `--var` the variables of the files, and a whole one keeps its type."""
    base = (
        "vars: {cap: 5, city: Rome}\n"
        "targets: {a: {name: 'In ${city}', caps: {hard: '${cap}', daily: 1}, hours: {mon: 9am-5pm}}}\n"
    )
    overlay = "company: 7\nvars: {city: Paris}\ntargets: {a: {caps: {daily: 2}, hours: {tue: closed}}}\n"
    files = read_files([("a.yaml", base)], ("prod.yaml", overlay))
    written = files.objects["targets/a"].written
    assert (files.company, written["name"], written["caps"]) == (7, "In Paris", {"hard": 5, "daily": 2})
    assert written["hours"] == {"tue": "closed"}
    again = read_files([("a.yaml", base)], ("prod.yaml", overlay), {"city": "Oslo"})
    assert again.objects["targets/a"].written["name"] == "In Oslo"
    assert again.sha256 != files.sha256
    with pytest.raises(InvalidArgument, match="'town' was given, and no file uses it"):
        read_files([("a.yaml", base)], None, {"town": "x"})


def test_a_slash_in_a_key_is_no_level():
    """Hours are replaced as a whole, whatever the object is called."""
    base = "targets: {a/b: {name: A, hours: {mon: 9am-5pm}}}\n"
    overlay = "targets: {a/b: {hours: {tue: closed}}}\n"
    (written,) = (one.written for one in read_files([("a.yaml", base)], ("prod.yaml", overlay)).objects.values())
    assert (written["name"], written["hours"]) == ("A", {"tue": "closed"})


def test_the_hash_is_of_what_files_say():
    """Comments and quotes do not change it."""
    one = read_files([("a.yaml", "company: 1\ntargets: {a: {name: A}}\n")])
    other = read_files([("b.yaml", "# a comment\ncompany: 1\ntargets:\n  a:\n    name: 'A'\n")])
    assert one.sha256 == other.sha256


def test_the_json_schema_refuses_unknown_keys():
    """Editors complete the format by it: every object is closed, and every section of the format is there."""
    schema = json_schema()
    objects = schema["$defs"]
    assert all(one["additionalProperties"] is False for one in objects.values())
    assert set(objects["AccountFile"]["properties"]) == {
        one.encode_name for one in msgspec.structs.fields(AccountFile)
    }
    assert json.loads(json.dumps(schema)) == schema


PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**17), 10**17)
    | st.text(alphabet=st.characters(exclude_categories=["Cs"])),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"]), min_size=1), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(st.dictionaries(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=5), PLAIN, max_size=3))
def test_what_is_written_is_read_again(value):
    """Any plain JSON survives YAML, texts that look like numbers and words among them."""
    assert read_yaml(write_yaml(value), "x").plain() == value


@given(st.text())
def test_any_text_is_read_or_refused(text):
    """No text breaks the reader in another way."""
    refused = None
    try:
        read_files([("a.yaml", text)])
    except InvalidArgument as error:
        refused = error
    assert refused is None or "a.yaml" in refused.message
