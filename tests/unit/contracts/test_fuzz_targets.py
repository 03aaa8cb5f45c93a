# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The targets of ``make fuzz`` work, and hold for their seeds and for a few changes of them; atheris is not needed here."""

from __future__ import annotations

import importlib.util
import pathlib
import sys
import types

import pytest

hypothesis = pytest.importorskip("hypothesis")
st = hypothesis.strategies


def _load() -> types.ModuleType:
    path = pathlib.Path(__file__).resolve().parents[2] / "fuzz/targets.py"
    spec = importlib.util.spec_from_file_location("fuzz_targets", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["fuzz_targets"] = module
    spec.loader.exec_module(module)
    return module


targets = _load()
# Once: each call would sign again, and signatures differ.
SEEDS = {name: targets.seeds(name) for name in targets.TARGETS}


@pytest.mark.parametrize("name", sorted(targets.TARGETS))
def test_fuzz_target_holds_for_its_seeds(name: str) -> None:
    assert SEEDS[name]
    for seed in SEEDS[name]:
        targets.TARGETS[name](seed)


@pytest.mark.parametrize("name", sorted(targets.TARGETS))
@hypothesis.settings(max_examples=60, deadline=None, database=None, derandomize=True)
@hypothesis.given(data=st.data())
def test_fuzz_target_holds_for_changed_seeds(name: str, data: st.DataObject) -> None:
    seed = data.draw(st.sampled_from(SEEDS[name]))
    begin = data.draw(st.integers(0, len(seed)))
    end = data.draw(st.integers(begin, min(len(seed), begin + 8)))
    targets.TARGETS[name](seed[:begin] + data.draw(st.binary(max_size=8)) + seed[end:])


def test_fuzz_runner_names_every_target() -> None:
    script = (pathlib.Path(__file__).resolve().parents[3] / "tools/fuzz").read_text()
    assert f"set -- {' '.join(sorted(targets.TARGETS))};" in script
