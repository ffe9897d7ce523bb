# SPDX-License-Identifier: GPL-2.0-or-later
"""The choice of the accelerator, on the fake QEMU: which one boots is a matter of the scene."""

from dataclasses import replace
from pathlib import Path

import pytest

from configs.model import Arch
from guests.crash.outcome import Outcome
from guests.run import accel
from guests.run.accel import prove_accel, scale_of
from guests.run.request import GuestRequest
from guests.run.run import run_guest
from tests.guests.support import FAKE, fake_request
from util.errors import MachineError, UserError
from util.events import Event, Listener, Phase, silent
from util.stop import Stop


class Host:
    """Stands in for the boots: what each accelerator does, and which were booted."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, **scenes: str) -> None:
        self.scenes = scenes
        self.booted: list[str] = []
        monkeypatch.setattr(accel, "run_guest", self._run)
        monkeypatch.setattr(accel, "absent", lambda name, _arch, _host: "" if name in scenes else f"no {name} here")
        monkeypatch.setattr(accel, "unfit", lambda _name, _host: "")

    def _run(self, request: GuestRequest, emit: Listener, stop: Stop) -> Outcome:
        assert request.limits is not None
        self.booted.append(request.accel)
        scene = self.scenes[request.accel]
        first_byte = 1.0 if scene == "silent" else 6.0  # nothing ever comes: no machine is too slow for that
        limits = replace(request.limits, first_byte=first_byte, boot=6.0, lifeless=3.0)
        job = replace(request.job, nonce="nonce-1")
        return run_guest(replace(request, label=scene, job=job, limits=limits), emit, stop)


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def _arch(tmp_path: Path) -> Arch:
    return fake_request(tmp_path, "").arch


def _prove(tmp_path: Path, wish: str, flavour: str = "plain") -> accel.Accelerator:
    initrd = tmp_path / "base.cpio"
    initrd.write_bytes(b"070701")
    return prove_accel(wish, _arch(tmp_path), "", tmp_path / "vmlinux", initrd, silent, Stop(), flavour)


def test_kvm_that_boots_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    host = Host(monkeypatch, kvm="empty", tcg="empty")
    assert _prove(tmp_path, "auto").name == "kvm"
    assert host.booted == ["kvm"]


@pytest.mark.slow
@pytest.mark.parametrize("scene", ["silent", "internal_error", "bad_arguments"])
def test_kvm_that_does_not_boot_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scene: str) -> None:
    Host(monkeypatch, kvm=scene, tcg="empty")
    chosen = _prove(tmp_path, "auto")
    assert chosen.name == "tcg"
    assert chosen.why.startswith("kvm: ")
    with pytest.raises(MachineError, match=r"accelerator kvm: .*--accel tcg"):
        _prove(tmp_path, "kvm")


@pytest.mark.slow
def test_the_answer_is_remembered_for_host_machine_and_flavour(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    host = Host(monkeypatch, kvm="bad_arguments", tcg="empty")
    first = _prove(tmp_path, "auto")
    assert _prove(tmp_path, "auto") == first
    assert host.booted == ["kvm", "tcg"]
    _prove(tmp_path, "tcg", flavour="kasan")
    assert host.booted == ["kvm", "tcg", "tcg"]
    monkeypatch.setattr(accel, "host_identity", lambda _host: "another host")
    _prove(tmp_path, "auto")
    assert host.booted == ["kvm", "tcg", "tcg", "kvm", "tcg"]


@pytest.mark.slow
def test_a_kernel_that_boots_nowhere_says_nothing_about_kvm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    host = Host(monkeypatch, kvm="panic_before_init", tcg="panic_before_init")
    chosen = _prove(tmp_path, "auto")
    assert (chosen.name, chosen.time_scale) == ("tcg", accel.UNKNOWN_SCALE)
    host.scenes.update(kvm="empty", tcg="empty")
    assert _prove(tmp_path, "auto").name == "kvm"


@pytest.mark.slow
def test_a_fallback_says_why_where_the_hardware_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    host = Host(monkeypatch, kvm="silent", tcg="empty")
    assert _prove(tmp_path, "auto").fallback.startswith("kvm: silent: not one byte")
    assert _prove(tmp_path, "auto").fallback.startswith("kvm: silent: not one byte"), "remembered as well"
    assert _prove(tmp_path, "tcg").fallback == "", "the user's own choice is no fallback"
    monkeypatch.setattr(accel, "unfit", lambda _name, _host: "/dev/kvm: Permission denied")
    assert _prove(tmp_path, "auto").fallback == "kvm: /dev/kvm: Permission denied"
    del host.scenes["kvm"]
    assert _prove(tmp_path, "auto").fallback == ""


def test_a_host_without_hardware_is_not_even_tried(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    host = Host(monkeypatch, tcg="empty")
    chosen = _prove(tmp_path, "auto")
    assert (chosen.name, chosen.why) == ("tcg", "kvm: no kvm here")
    assert host.booted == ["tcg"]
    with pytest.raises(MachineError, match="no kvm here"):
        _prove(tmp_path, "kvm")


def test_an_unknown_wish_is_the_users_mistake(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="known: auto, kvm, tcg, hvf"):
        _prove(tmp_path, "xen")


def test_hvf_is_not_for_this_system(tmp_path: Path) -> None:
    with pytest.raises(MachineError, match="Darwin only"):
        _prove(tmp_path, "hvf")


def test_a_foreign_architecture_has_no_kvm(tmp_path: Path) -> None:
    foreign = _arch(tmp_path).model_copy(update={"native_machine": "sparc64"})
    assert "does not run sparc64 natively" in accel.absent("kvm", foreign)


def test_a_damaged_memory_is_forgotten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    host = Host(monkeypatch, tcg="empty")
    _prove(tmp_path, "tcg")
    (stored,) = (tmp_path / "cache").rglob("*.json")
    stored.write_text('{"works": tr')
    assert _prove(tmp_path, "tcg").name == "tcg"
    assert host.booted == ["tcg", "tcg"]


def test_events_tell_what_was_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Host(monkeypatch, kvm="bad_arguments", tcg="empty")
    initrd = tmp_path / "base.cpio"
    initrd.write_bytes(b"070701")
    events: list[Event] = []
    arch = _arch(tmp_path)
    assert prove_accel("auto", arch, "", tmp_path / "vmlinux", initrd, events.append, Stop()).name == "tcg"
    notes = [event.text for event in events if event.phase is Phase.NOTE]
    assert notes == ["qemu-died: QEMU ended with status 1: qemu: -M: no such machine (before init)"]
    assert arch.qemu == str(FAKE)


def test_the_scale_is_never_below_bare_metal() -> None:
    assert scale_of(0.0) == 1.0
    assert scale_of(0.05) == 1.0
    assert scale_of(1.25) == 12.5
