# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Feeds one target with what atheris (libFuzzer for Python) finds worth trying. usage: run.py TARGET DIRECTORY [libFuzzer's options]

DIRECTORY keeps what was found worth keeping, and the input of a crash. ``run.py TARGET DIRECTORY DIRECTORY/crash-…`` tries that one again.
"""

from __future__ import annotations

import pathlib
import sys

import atheris

with atheris.instrument_imports(include=["ansible_collections"], enable_loader_override=False):
    import targets


def main() -> None:
    """Run until libFuzzer's options say that it is enough; a crash ends it with another status than 0."""
    target, directory, *options = sys.argv[1:]
    corpus = pathlib.Path(directory) / "corpus"
    corpus.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(targets.seeds(target)):
        (corpus / f"seed-{number}").write_bytes(seed)
    one_input = [option for option in options if not option.startswith("-")]
    folders = [] if one_input else [str(corpus)]
    atheris.Setup(
        [sys.argv[0], f"-artifact_prefix={directory}/", "-print_final_stats=1", *options, *folders],
        targets.TARGETS[target],
    )
    atheris.Fuzz()


if __name__ == "__main__":
    main()
