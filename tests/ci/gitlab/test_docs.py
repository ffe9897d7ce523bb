# SPDX-License-Identifier: GPL-2.0-or-later
"""The commands of docs/gitlab.md, executed in their order over the kernel in miniature."""

import re
import shlex

import pytest
import yaml

from guests.run import qemu
from tests.command import rig_here
from tests.scenes.conftest import shared, stage, template
from tests.scenes.stage import Stage, says
from util.paths import ROOT

__all__ = ["shared", "stage", "template"]


@pytest.mark.slow
def test_the_tutorial(stage: Stage) -> None:
    stage.profile |= {"size": True, "checkpatch": True}
    stage.patched(says("note=changed"))
    qemu.qemu_version.cache_clear()  # the real one may have been asked before
    profile = stage.folder / "scene.yaml"
    profile.write_text(yaml.safe_dump({**stage.profile, "series": stage.series}))
    text = (ROOT / "docs" / "gitlab.md").read_text(encoding="utf-8")
    lines = "".join(re.findall(r"^```sh\n(.*?)^```", text, re.MULTILINE | re.DOTALL)).splitlines()
    commands = [shlex.split(line) for line in lines]
    assert [words[1] for words in commands] == ["check", "check", "merge", "gitlab", "check", "gitlab", "gitlab"]
    for rig, *words in commands:
        assert rig == "./rig.py"
        ours = words[0] == "check" or "--" in words  # its profile is that of the scene
        given = [*words, *(("--profile", str(profile)) if ours else ())]
        ended = rig_here(stage.capture, *given, cwd=stage.folder, environment=stage.environment())
        assert ended.returncode == 0, f"{words}: {ended.stdout}{ended.stderr}"
    assert (stage.folder / "joined" / "results.json").is_file() and (stage.folder / "note.md").is_file()
    assert list((stage.folder / "rig-builds").glob("*/vmlinux"))
