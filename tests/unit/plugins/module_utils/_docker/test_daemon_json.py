# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""daemon.json: only our keys change, every other byte stays, and the way back is exact."""

from __future__ import annotations

import json
import string

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.portcullis.docker_tls.plugins.module_utils._docker import daemon_json
from ansible_collections.portcullis.docker_tls.plugins.module_utils._errors import TlsError

OURS = {
    "tlskey": "/etc/docker/certs/server-key.pem",
    "hosts": ["fd://", "tcp://0.0.0.0:2376"],
    "tls": True,
    "tlsverify": True,
    "tlscacert": "/etc/docker/certs/client-ca.pem",
    "tlscert": "/etc/docker/certs/server-cert.pem",
}
WHOLE = """{
    "hosts": ["fd://", "tcp://0.0.0.0:2376"],
    "tlscacert": "/etc/docker/certs/client-ca.pem",
    "tlscert": "/etc/docker/certs/server-cert.pem",
    "tlskey": "/etc/docker/certs/server-key.pem",
    "tls": true,
    "tlsverify": true
}
"""

MERGES = {
    "no file": (None, {"tls": True, "hosts": []}, (), '{\n    "hosts": [],\n    "tls": true\n}\n'),
    "empty file": ("", {"tls": True}, (), '{\n    "tls": true\n}\n'),
    "white space": (" \r\n\t", {"tls": True}, (), '{\n    "tls": true\n}\n'),
    "empty object": ("{}", {"tls": True}, (), '{\n    "tls": true\n}'),
    "empty object, line feed": ("{}\n", {"tls": True}, (), '{\n    "tls": true\n}\n'),
    "empty object on lines": ("{\n}\n", {"tls": True}, (), '{\n    "tls": true\n}\n'),
    "four spaces": (
        '{\n    "debug": false\n}\n',
        {"tls": True},
        (),
        '{\n    "debug": false,\n    "tls": true\n}\n',
    ),
    "two spaces": ('{\n  "debug": false\n}', {"tls": True}, (), '{\n  "debug": false,\n  "tls": true\n}'),
    "tabs": ('{\n\t"debug": false\n}\n', {"tls": True}, (), '{\n\t"debug": false,\n\t"tls": true\n}\n'),
    "windows lines": ('{\r\n  "a": 1\r\n}\r\n', {"tls": True}, (), '{\r\n  "a": 1,\r\n  "tls": true\r\n}\r\n'),
    "one line": ('{"debug": false}\n', {"tls": True}, (), '{"debug": false, "tls": true}\n'),
    "one line, padded": ('{ "debug": false }', {"tls": True}, (), '{ "debug": false, "tls": true }'),
    "compact": ('{"debug":false,"mtu":1400}', {"tls": True}, (), '{"debug":false,"mtu":1400,"tls":true}'),
    "colon style": ('{\n  "a" : 1\n}', {"tls": True}, (), '{\n  "a" : 1,\n  "tls" : true\n}'),
    "name and value on lines": ('{"a":\n 1}', {"tls": True}, (), '{"a":\n 1, "tls": true}'),
    "brace and first key on one line": (
        '{"a": 1,\n "b": 2}',
        {"tls": True},
        (),
        '{"a": 1,\n "b": 2,\n "tls": true}',
    ),
    "replaced in place": (
        '{\n  "tls": false,\n  "debug": true\n}',
        {"tls": True},
        (),
        '{\n  "tls": true,\n  "debug": true\n}',
    ),
    "one is not true": ('{"tls": 1}', {"tls": True}, (), '{"tls": true}'),
    "replaced and appended": (
        '{\n  "tls" :  false, "debug": true\n}',
        {"tls": True, "hosts": ["fd://"]},
        (),
        '{\n  "tls" :  true, "debug": true,\n  "hosts" :  ["fd://"]\n}',
    ),
    "same value, other spelling": (
        '{"hosts": [ "fd:\\/\\/" ]}',
        {"hosts": ["fd://"]},
        (),
        '{"hosts": [ "fd:\\/\\/" ]}',
    ),
    "removed first": ('{\n  "a": 1,\n  "b": 2\n}', {}, ("a",), '{\n  "b": 2\n}'),
    "removed middle": ('{"a": 1, "b": 2,  "c": 3}', {}, ("b",), '{"a": 1,  "c": 3}'),
    "removed last": ('{\n  "a": 1,\n  "b": 2\n}\n', {}, ("b",), '{\n  "a": 1\n}\n'),
    "removed all": ('{\n  "a": 1\n}\n', {}, ("a",), "{}\n"),
    "removed what is not there": ('{ "a":1 }', {}, ("b",), '{ "a":1 }'),
    "set wins over removed": ("{}", {"tls": True}, ("tls",), '{\n    "tls": true\n}'),
    "foreign values stay as spelled": (
        '{"n": 1.50e3, "u": "\\u00e9é", "big": 123456789012345678901234567890, "o": {"b":1, "a": [ ]}}',
        {"tls": True},
        (),
        '{"n": 1.50e3, "u": "\\u00e9é", "big": 123456789012345678901234567890, "o": {"b":1, "a": [ ]}, "tls": true}',
    ),
    "our keys in their order": (None, OURS, (), WHOLE),
    "other keys after ours, sorted": (
        None,
        {"zz": 1, "aa": "é", "live-restore": True},
        (),
        '{\n    "live-restore": true,\n    "aa": "é",\n    "zz": 1\n}\n',
    ),
}


@pytest.mark.parametrize("name", MERGES)
def test_merge_keeps_everything_but_our_keys(name: str) -> None:
    existing, ours, remove, wanted = MERGES[name]
    merged = daemon_json.merge(existing, ours, remove)
    assert merged == wanted
    assert daemon_json.merge(merged, ours, remove) == merged
    data = None if existing is None else existing.encode()
    assert daemon_json.merge(data, ours, remove) == wanted


@pytest.mark.parametrize(
    "text", ['{\n  "hosts": []\n  "tls": true\n}', '{"a": 1,}', "[]", "\ufeff{}", '{"a": 1, "a": 2}', "nonsense"]
)
def test_parse_invalid_file_says_path_line_and_column(text: str) -> None:
    with pytest.raises(TlsError) as caught:
        daemon_json.parse_daemon_json(text, "/etc/docker/daemon.json")
    assert caught.value.code == "daemon-json-invalid"
    assert "/etc/docker/daemon.json" in caught.value.message
    assert "line " in caught.value.message
    assert "column " in caught.value.message
    with pytest.raises(TlsError):
        daemon_json.merge(text, {"tls": True})


def test_parse_bytes_that_are_not_utf8_says_where() -> None:
    with pytest.raises(TlsError, match="line 2, column 8: there is a byte that is not UTF-8"):
        daemon_json.parse_daemon_json(b'{\n  "a": \xff}', "x.json")


@pytest.mark.parametrize("data", [None, b"", b"  \n", "{}"])
def test_parse_nothing_gives_no_values(data: bytes | str | None) -> None:
    assert daemon_json.parse_daemon_json(data, "x.json").values == {}


def test_merge_into_one_line_does_not_end_with_a_path() -> None:
    """docker-bench-security splits the text at commas: the last value of one line has the closing brace in it."""
    text = daemon_json.merge('{"log-driver": "journald"}\n', OURS)
    last = text.strip().split(",")[-1]
    assert text.count("\n") == 1
    assert last == ' "tlsverify": true}'


def test_parse_keeps_order_and_text() -> None:
    parsed = daemon_json.parse_daemon_json('{"b": 1, "a": [true, null]}\n', "x.json")
    assert list(parsed.values) == ["b", "a"]
    assert parsed.values["a"] == [True, None]
    assert parsed.text == '{"b": 1, "a": [true, null]}\n'


FOREIGN = {
    "nothing": ({"debug": True}, OURS, None, []),
    "ours already": (dict(OURS), OURS, None, []),
    "other hosts": ({"hosts": ["tcp://0.0.0.0:2375"]}, OURS, None, ["hosts"]),
    "written by us earlier": (
        {"hosts": ["fd://", "tcp://10.0.0.1:2376"]},
        OURS,
        {"hosts": ["fd://", "tcp://10.0.0.1:2376"]},
        [],
    ),
    "edited since": ({"hosts": ["fd://"]}, OURS, {"hosts": ["fd://", "tcp://10.0.0.1:2376"]}, ["hosts"]),
    "tls of another tool": ({"tls": True, "tlsverify": False, "tlscert": "/x"}, OURS, None, ["tlscert", "tlsverify"]),
    "null": ({"tlscacert": None}, OURS, None, ["tlscacert"]),
    "key that we do not set": ({"tlskey": "/x"}, {}, None, ["tlskey"]),
    "live-restore is nobody's": ({"live-restore": False}, {"live-restore": True}, None, []),
}


@pytest.mark.parametrize("name", FOREIGN)
def test_foreign_endpoint_settings_finds_values_of_others(name: str) -> None:
    values, ours, written, keys = FOREIGN[name]
    found = daemon_json.foreign_endpoint_settings(values, ours, written)
    assert [item.key for item in found] == keys
    assert all(item.found == values[item.key] and item.wanted == ours.get(item.key) for item in found)


MISSPELLED = {
    "host": ("host", "hosts"),
    "Hosts": ("Hosts", "hosts"),
    "tlsVerify": ("tlsVerify", "tlsverify"),
    "tls-verify": ("tls-verify", "tlsverify"),
    "tls_ca_cert": ("tls_ca_cert", "tlscacert"),
    "liveRestore": ("liveRestore", "live-restore"),
    "live_restore": ("live_restore", "live-restore"),
}


@pytest.mark.parametrize("key", MISSPELLED)
def test_misspelled_keys_finds_what_dockerd_does_not_read(key: str) -> None:
    assert daemon_json.misspelled_keys({key: 1, "debug": True, "hosts": [], "live-restore": True}) == (MISSPELLED[key],)


def test_difference_names_changed_keys_only() -> None:
    before = {"a": 1, "b": [1], "c": None, "d": 1}
    after = {"a": 1, "b": [2], "c": None, "e": False, "d": True}
    assert daemon_json.difference(before, after) == {"b": ([1], [2]), "d": (1, True), "e": (None, False)}


SAME = [(1, 1, True), (True, 1, False), (1.0, 1, True), ([1], [True], False), ({"a": [0]}, {"a": [False]}, False)]
SAME += [({"a": 1, "b": 2}, {"b": 2, "a": 1}, True), ([1, 2], [2, 1], False), ("a", ["a"], False), (None, False, False)]


@pytest.mark.parametrize(("one", "other", "same"), SAME)
def test_same_value_compares_as_json_does(one: object, other: object, same: bool) -> None:
    for pair in ((one, other), (other, one)):
        assert daemon_json.same_value(*pair) is same


UNMERGES = {
    "untouched, file before": ('{ "debug":true }', None, '{ "debug":true }'),
    "untouched, no file before": (None, None, None),
    "untouched, empty file before": ("", None, ""),
    "edited, no file before": (
        None,
        lambda text: text.replace("{\n", '{\n    "debug": true,\n', 1),
        '{\n    "debug": true\n}\n',
    ),
    "edited to nothing else": (None, lambda text: text + "\n", None),
    "edited, ours gone too": ('{"debug": true}', lambda _text: '{"debug": false}', '{"debug": false}'),
    "edited, hosts edited too": (
        '{"debug": true}',
        lambda _text: '{"debug": true, "mtu": 1400, "hosts": ["fd://", "tcp://1.2.3.4:1"], "tls": true}',
        '{"debug": true, "mtu": 1400}',
    ),
    "edited, adopted values come back": (
        '{"hosts": ["tcp://0.0.0.0:2375" ], "debug": true}',
        lambda text: text.replace('"debug": true', '"debug": false'),
        '{"hosts": ["tcp://0.0.0.0:2375" ], "debug": false}',
    ),
    "edited, adopted value removed since": (
        '{"debug": true, "hosts": ["unix:///x"]}',
        lambda _text: '{"debug": true, "mtu": 1}',
        '{"debug": true, "mtu": 1, "hosts": ["unix:///x"]}',
    ),
    "file removed since, none before": (None, lambda _text: None, None),
    "file removed since": ('{"debug": true}', lambda _text: None, "{}\n"),
}


@pytest.mark.parametrize("name", UNMERGES)
def test_unmerge_gives_back_what_was_there_and_keeps_later_edits(name: str) -> None:
    original, edit, wanted = UNMERGES[name]
    written = daemon_json.merge(original, OURS)
    current = edit(written) if edit else written
    assert daemon_json.unmerge(current, written, original) == wanted
    assert daemon_json.unmerge(current, written.encode(), None if original is None else original.encode()) == wanted


def test_unmerge_broken_current_file_is_an_error() -> None:
    with pytest.raises(TlsError, match="line 1"):
        daemon_json.unmerge("{", WHOLE, None)


KEYS = st.text(string.ascii_letters + "-é", max_size=8)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3), max_leaves=6
)
MANAGED = st.sampled_from(daemon_json.MANAGED_KEYS)
FILES = st.none() | st.builds(
    lambda value, indent, separators, end: json.dumps(value, indent=indent, separators=separators) + end,
    st.dictionaries(KEYS | MANAGED, VALUES, max_size=5),
    st.sampled_from([None, 1, 4, "\t"]),
    st.sampled_from([None, (",", ":"), (", ", " : ")]),
    st.sampled_from(["", "\n", "\n\n"]),
)
SETTINGS = st.dictionaries(MANAGED | KEYS, VALUES, max_size=5)


def test_merge_file_with_commas_before_its_keys_stays_json() -> None:
    """Found by ``make fuzz``: the comma was taken for a part of the indentation."""
    existing = '{ "log-opts": {"max-size": "10m"}\n, "mtu": 1400\n}\n'
    merged = daemon_json.merge(existing, {"tlsverify": True})
    assert json.loads(merged) == {"log-opts": {"max-size": "10m"}, "mtu": 1400, "tlsverify": True}
    assert merged.startswith('{ "log-opts": {"max-size": "10m"}\n, "mtu": 1400')


@settings(deadline=None)
@given(FILES, SETTINGS, st.lists(KEYS | MANAGED, max_size=2))
def test_merge_any_file_sets_ours_and_keeps_the_rest(existing: str | None, ours: dict, remove: list[str]) -> None:
    before = daemon_json.parse_daemon_json(existing, "x").values
    merged = daemon_json.merge(existing, ours, remove)
    after = json.loads(merged)
    expected = {key: value for key, value in before.items() if key not in remove or key in ours}
    assert daemon_json.same_value(after, {**expected, **ours})
    assert [key for key in after if key in before] == list(expected)
    assert daemon_json.merge(merged, ours, remove) == merged
    if daemon_json.same_value(before, {**expected, **ours}) and before:
        assert merged == existing


@settings(deadline=None)
@given(FILES, SETTINGS)
def test_unmerge_after_merge_gives_the_exact_file_back(existing: str | None, ours: dict) -> None:
    assert (
        daemon_json.unmerge(daemon_json.merge(existing, ours), daemon_json.merge(existing, ours), existing) == existing
    )


@settings(deadline=None)
@given(FILES, SETTINGS, KEYS, VALUES)
def test_unmerge_after_an_edit_keeps_the_edit(existing: str | None, ours: dict, key: str, value: object) -> None:
    before = daemon_json.parse_daemon_json(existing, "x").values
    if key in ours or key in before:
        return
    written = daemon_json.merge(existing, ours)
    back = daemon_json.unmerge(daemon_json.merge(written, {key: value}), written, existing)
    assert back is not None
    assert daemon_json.same_value(json.loads(back), {**before, key: value})
