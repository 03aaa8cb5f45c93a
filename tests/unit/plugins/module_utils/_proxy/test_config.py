# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The proxy's configuration as text. What a real HAProxy does with it: tests/faults/test_proxy_rights.py."""

from __future__ import annotations

import json
import re
import typing as t
from dataclasses import replace

import pytest

from ansible_collections.portcullis.docker_tls.plugins.module_utils._errors import TlsError
from ansible_collections.portcullis.docker_tls.plugins.module_utils._proxy import config, rights, state
from support.ca.certificates import authority, named_authority

OPERATORS = authority("client", unit="operators-g1", number=20)
MONITORING = authority("client", unit="monitoring-g1", number=21)
FULL = config.ProxyGroup.of("operators", [OPERATORS.certificate])
LIMITED = config.ProxyGroup.of("monitoring", [MONITORING.certificate], rights.parse_rights("read-only", "x"))


def wanted(*groups: config.ProxyGroup, **changes: t.Any) -> config.ProxyConfig:
    values: dict[str, t.Any] = {
        "listen": (("0.0.0.0", 2376),),
        "certificate_path": "/etc/docker-tls-proxy/server.pem",
        "ca_path": "/etc/docker-tls-proxy/client-ca.pem",
        "crl_path": "/etc/docker-tls-proxy/crl.pem",
        "groups": groups or (FULL, LIMITED),
        "docker_socket": "/run/docker.sock",
        "stream_timeout_seconds": 3600,
        "haproxy_version": (2, 6, 12),
    }
    return config.ProxyConfig(**{**values, **changes})


def section(text: str, title: str) -> list[str]:
    """Return the lines of a section."""
    found = re.search(rf"^{title}[^\n]*\n((?:    [^\n]*\n)*)", text, re.MULTILINE)
    assert found, f"no section {title} in {text}"
    return [line.strip() for line in found[1].splitlines()]


def test_render_requires_certificates_and_never_resumes_sessions() -> None:
    text = config.render(wanted())
    bind = next(line for line in section(text, "frontend docker") if line.startswith("bind"))
    assert "ca-file /etc/docker-tls-proxy/client-ca.pem crl-file /etc/docker-tls-proxy/crl.pem verify required" in bind
    assert "ssl-default-bind-options ssl-min-ver TLSv1.2 no-tls-tickets" in section(text, "global")
    assert "tune.ssl.cachesize 0" in section(text, "global")
    assert "hard-stop-after 3600s" in section(text, "global")


def test_render_lets_a_client_stop_reading_where_handshakes_have_a_limit_of_their_own() -> None:
    """``docker logs -f`` in a pager reads nothing for as long as its user reads."""
    new, old = (config.render(wanted(haproxy_version=version)) for version in ((2, 9), (2, 6, 12)))
    assert "timeout client 24h" in section(new, "defaults connections")
    assert "timeout client-hs 10s" in section(new, "frontend docker")
    assert "timeout client 1h" in section(old, "defaults connections")
    assert "client-hs" not in old


def test_render_leaves_connections_for_others_when_one_address_opens_many() -> None:
    text = config.render(wanted())
    limit = re.search(r"tcp-request connection reject if \{ sc0_conn_cur gt (\d+) \}", text)
    assert limit and int(limit[1]) * 4 <= state.MAXIMUM_CONNECTIONS
    assert f"maxconn {state.MAXIMUM_CONNECTIONS}" in section(text, "global")


def test_list_that_ends_before_its_authority_is_used_after_its_end() -> None:
    """Else HAProxy would refuse everyone from then until the next run (measured in tests/faults/test_proxy_crl.py)."""
    assert " crt-ignore-err 12 ca-ignore-err 12 verify required" in config.render(wanted(crl_expires=True))
    assert "ignore-err" not in config.render(wanted()) + config.render(wanted(crl_path="", crl_expires=True))


def test_render_without_crl_names_none() -> None:
    assert "crl-file" not in config.render(wanted(crl_path=""))


def test_render_listens_on_each_address() -> None:
    text = config.render(wanted(listen=(("10.0.0.5", 2377), ("fd00::5", 2378))))
    binds = [line.split()[1] for line in section(text, "frontend docker") if line.startswith("bind")]
    assert binds == ["ipv4@10.0.0.5:2377", "ipv6@[fd00::5]:2378"]


def test_render_gives_unfiltered_connections_to_full_rights_only() -> None:
    lines = section(config.render(wanted()), "frontend docker")
    for line in lines:
        if line.startswith(("use_backend stream", "tcp-request content accept")):
            assert " if group0 {" in line
    assert "use_backend full if group0" in lines
    assert "use_backend group1 if group1" in lines
    assert lines[-1] == "default_backend unknown"


def test_render_with_full_rights_only_has_no_other_way() -> None:
    text = config.render(wanted(FULL))
    assert section(text, "frontend docker")[-1] == "default_backend full"
    assert "backend unknown" not in text


def test_render_without_full_rights_has_no_unfiltered_connection() -> None:
    text = config.render(wanted(LIMITED))
    assert "use_backend stream" not in text
    assert "content accept" not in text


def test_render_ends_an_allow_list_with_the_refusal() -> None:
    lines = section(config.render(wanted()), "backend group1")
    requests = [line for line in lines if line.startswith("http-request")]
    allowed = [line for line in requests if line.startswith("http-request allow")]
    assert requests == ["http-request del-header Upgrade", *allowed, requests[-1]]
    assert requests[-1].startswith("http-request deny status 403")
    for line in allowed:
        assert re.fullmatch(
            r"http-request allow if \{ method [A-Z ]+ \} \{ (path|url) -m reg '\^.*\$' \} \{ url -m beg / \}", line
        )


def test_render_allows_top_without_a_query_only() -> None:
    """``ps_args`` of ``top`` can ask ``ps`` for the environment of the processes."""
    top = [line for line in section(config.render(wanted()), "backend group1") if "/top$" in line]
    assert len(top) == 1
    assert "{ url -m reg " in top[0] and "{ path -m reg " not in top[0]


def allows_build(url: str) -> bool:
    """Decide as HAProxy does; ``url`` begins behind the method."""
    ci = replace(LIMITED, rights=rights.parse_rights("ci", "x"))
    lines = [line for line in section(config.render(wanted(ci)), "backend group0") if "/build$" in line]
    assert len(lines) == 1
    assert lines[0].endswith(" !{ req.hdr(content-type) -i -m sub form } { url -m beg / }")
    conditions = re.findall(r"(!?)\{ (path|url) -m reg '([^']*)' \}", lines[0])
    assert len(conditions) == 3
    values = {"path": url.partition("?")[0], "url": url}
    return all(bool(re.search(pattern, values[what])) is not bool(unless) for unless, what, pattern in conditions)


@pytest.mark.parametrize(
    "query",
    [
        "",
        "?",
        "?version=1",
        "?version=",
        "?version",
        "?t=app%3A1&version=1&nocache=1",
        "?buildargs=%7B%22version%22%3A%222%22%7D&cgroupparent=&dockerfile=Dockerfile&labels=%7B%7D&rm=1&shmsize=0&target=&ulimits=null&version=1",
        "?remote=https://example.org/x.git&t=a&t=b",
        "?subversion=2&versions=2",
    ],
)
def test_render_allows_the_classic_build(query: str) -> None:
    assert allows_build(f"/v1.41/build{query}")
    assert allows_build(f"/build{query}")


@pytest.mark.parametrize(
    "query",
    [
        "?version=2",
        "?version=02",
        "?version=12",
        "?version=1%32",
        "?version=%32",
        "?version=+2",
        "?version=1&version=2",
        "?version=2&version=1",
        "?t=x&version=2",
        "?%76ersion=2",
        "?versio%6e=2",
        "?+version=2",
        "?t=x;version=2",
        "?;version=2",
        "?&version=2",
        "??version=2",
        "?version=2#",
        "#?version=2",
        "?t=x%26version=2&versio%6E=2",
    ],
)
def test_render_does_not_allow_a_build_that_could_be_buildkits(query: str) -> None:
    """BuildKit's caches are shared by all clients of a dockerd, and ``RUN --mount=type=cache`` reads and writes them."""
    assert not allows_build(f"/v1.41/build{query}")


def test_render_lets_attach_keep_its_upgrade_where_a_rule_has_it() -> None:
    own = rights.parse_rights({"rules": [{"methods": ["POST"], "path": "/containers/{id}/attach"}]}, "x")
    lines = section(config.render(wanted(replace(LIMITED, rights=own))), "backend group0")
    assert lines.index("http-request del-header Upgrade") == 1
    assert lines[0].startswith("http-request allow if { method POST } { path -m reg '^(/v[0-9]+[.][0-9]+)?/containers/")


def test_render_filters_exec_only_where_haproxy_carries_it() -> None:
    assert "/exec/" not in config.render(wanted(haproxy_version=(3, 0, 11)))
    assert "/exec/" in config.render(wanted(haproxy_version=(3, 0, 10)))
    own = rights.parse_rights({"rules": [{"methods": ["POST"], "path": "/exec/{id}/start"}]}, "x")
    config.render(wanted(replace(LIMITED, rights=own), haproxy_version=(3, 2)))
    with pytest.raises(TlsError, match="cannot carry on a filtered connection") as caught:
        config.render(wanted(replace(LIMITED, rights=own)))
    assert caught.value.code == "rights-need-haproxy"
    assert caught.value.hint


def test_render_answers_in_the_words_of_docker() -> None:
    text = config.render(wanted())
    bodies = re.findall(r"content-type application/json string '(.*)'$", text, re.MULTILINE)
    assert len(bodies) == 9
    assert all(list(json.loads(body)) == ["message"] for body in bodies)
    assert "the access group monitoring may not do this on this host; its rights are: read-only" in text


def test_render_recognizes_all_generations_of_a_group() -> None:
    both = config.ProxyGroup.of(
        "operators", [OPERATORS.certificate, authority("client", unit="operators-g2").certificate]
    )
    line = next(
        each for each in section(config.render(wanted(both)), "frontend docker") if each.startswith("acl group0 ")
    )
    assert line == "acl group0 ssl_c_i_dn -m str '/OU=operators-g1/CN=Docker CA' '/OU=operators-g2/CN=Docker CA'"


def test_render_quotes_names_of_authorities() -> None:
    odd = config.ProxyGroup.of("odd", [named_authority([("CN", 'it\'s #1 "$HOME" \\ {x}')]).certificate])
    line = next(
        each for each in section(config.render(wanted(odd)), "frontend docker") if each.startswith("acl group0 ")
    )
    assert line == "acl group0 ssl_c_i_dn -m str '/CN=it'\\''s #1 \"$HOME\" \\ {x}'"


@pytest.mark.parametrize(
    "changes",
    [
        {"listen": ()},
        {"listen": (("example.org", 2376),)},
        {"listen": (("10.0.0.5:2376", 2376),)},
        {"listen": (("fe80::1%eth0", 2376),)},
        {"listen": (("10.0.0.5 ssl crt /x", 2376),)},
        {"listen": (("10.0.0.5", 0),)},
        {"listen": (("10.0.0.5", 65536),)},
        {"certificate_path": "/etc/a b.pem"},
        {"certificate_path": "server.pem"},
        {"ca_path": "/etc/ca.pem verify none"},
        {"ca_path": "/etc/ca.pem\nbind *:2375"},
        {"ca_path": "/etc/'ca'.pem"},
        {"ca_path": "/etc/$HOME"},
        {"crl_path": "/etc/crl.pem\n"},
        {"docker_socket": "/run/docker.sock check"},
        {"docker_socket": ""},
        {"stream_timeout_seconds": 0},
        {"stream_timeout_seconds": 10**9},
        {"groups": ()},
        {"groups": (replace(FULL, name="x) if TRUE"),)},
        {"groups": (replace(FULL, name=""),)},
        {"groups": (replace(FULL, issuers=()),)},
        {"groups": (replace(FULL, issuers=("/CN=a\nb",)),)},
    ],
    ids=str,
)
def test_render_refuses_values_that_would_change_the_configuration(changes: dict[str, t.Any]) -> None:
    with pytest.raises(TlsError, match="the proxy cannot be configured with") as caught:
        config.render(replace(wanted(), **changes))
    assert caught.value.code == "proxy-config-invalid"
    assert caught.value.hint


@pytest.mark.parametrize("version", [(2, 4, 24), (1, 8), (2,)])
def test_render_refuses_an_old_haproxy(version: tuple[int, ...]) -> None:
    with pytest.raises(TlsError, match="too old") as caught:
        config.render(wanted(haproxy_version=version))
    assert caught.value.code == "proxy-version-unsupported"


def test_render_refuses_two_groups_that_cannot_be_told_apart() -> None:
    twin = config.ProxyGroup.of("twin", [authority("client", unit="operators-g1", number=22).certificate])
    with pytest.raises(TlsError, match="operators and twin") as caught:
        config.render(wanted(FULL, twin))
    assert caught.value.code == "proxy-issuer-ambiguous"


def test_group_with_limited_rights_needs_an_authority_that_signs_no_others() -> None:
    open_ended = named_authority([("CN", "Corporate CA")], path_length=None).certificate
    with pytest.raises(TlsError, match="permits further authorities") as caught:
        config.ProxyGroup.of("corporate", [open_ended], rights.parse_rights("read-only", "x"))
    assert caught.value.code == "proxy-issuer-unlimited"
    assert config.ProxyGroup.of("corporate", [open_ended]).issuers == ("/CN=Corporate CA",)


@pytest.mark.parametrize("fields", [config.REQUEST_FIELDS, config.CONNECTION_FIELDS], ids=["request", "connection"])
def test_log_format_is_one_json_object_of_the_documented_fields(fields: tuple[tuple[str, str], ...]) -> None:
    """What HAProxy puts in for an expression is a number or the inside of a string."""
    line = re.sub(r"%\[(?:[^\][]|\[[^\]]*\])*\]|%[BUT]?[a-z]?", "1", config.log_format(fields))
    assert list(json.loads(line)) == [name for name, _source in fields]


def test_log_format_never_contains_a_query_or_a_header() -> None:
    text = config.log_format(config.REQUEST_FIELDS) + config.render(wanted())
    assert not re.search(r"%HQ|%HU|%\{\+Q\}r|pathq|capture|query|req\.hdr|\burl\b(?! -m (beg /|reg '\^))", text)
