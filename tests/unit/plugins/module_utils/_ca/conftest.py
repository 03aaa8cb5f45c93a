# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A CA that has lived a little, for the tests of its faults: made once a file, copied for each test that changes it."""

from __future__ import annotations

import pathlib
import shutil

import pytest

from support.ca import operations


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    return operations.make_ca(tmp_path_factory.mktemp("model"))


@pytest.fixture(name="place")
def fresh_copy(model: pathlib.Path, tmp_path: pathlib.Path) -> pathlib.Path:
    return pathlib.Path(shutil.copytree(model, tmp_path / "place"))
