# SPDX-License-Identifier: GPL-2.0-or-later
"""The QEMU command line."""

import shlex
from dataclasses import replace
from pathlib import Path

import pytest

from configs.loader import load_arch
from configs.names import names
from guests.qemu.devices import Devices, disk_file
from guests.qemu.machine import (
    Spec,
    UnfitKernelError,
    as_shell,
    check_accel,
    check_counted,
    hand_command,
    image_of,
    kernel_of,
    machine_of,
    sockets,
    terminal_command,
    wired_command,
)
from util.errors import MachineError, UserError

SPEC = Spec(
    arch=load_arch("x86_64"),
    machine="microvm",
    kernel=Path("/k/vmlinux"),
    initrd="/i.cpio",
    accel="tcg",
    memory_mb=256,
    smp=2,
    append=("quiet",),
    label="a,b",
)


def _value(command: tuple[str, ...], option: str) -> str:
    return command[command.index(option) + 1]


def test_a_guest_under_control() -> None:
    command = wired_command(SPEC, sockets(7, 9))
    assert command[0] == "qemu-system-x86_64"
    assert "socket,id=results,fd=7" in command
    assert "socket,id=qmp,fd=9" in command
    assert "virtserialport,chardev=results,name=rig.results" in command
    assert (_value(command, "-m"), _value(command, "-smp")) == ("256", "2")
    assert (_value(command, "-kernel"), _value(command, "-initrd")) == ("/k/vmlinux", "/i.cpio")
    assert {"-no-reboot", "-nodefaults", "-no-user-config"} <= set(command)


def test_only_a_traced_guest_has_a_plugin() -> None:
    assert "-plugin" not in wired_command(SPEC, sockets(1, 2))
    traced = replace(SPEC, plugin="file=/w.so,out=/w.txt")
    for command in (wired_command(traced, sockets(1, 2)), hand_command(traced, Path("/r"))):
        assert _value(command, "-plugin") == "file=/w.so,out=/w.txt"


def test_a_comma_in_a_label_is_no_new_option() -> None:
    assert _value(hand_command(SPEC, Path("/r,1")), "-name") == "a,,b"
    assert "file,id=results,path=/r,,1" in hand_command(SPEC, Path("/r,1"))


def test_a_panic_ends_the_guest_and_an_oops_does_not() -> None:
    words = _value(wired_command(SPEC, sockets(1, 2)), "-append").split()
    assert "panic=-1" in words
    assert not [word for word in words if "oops" in word]
    assert words[-1] == "quiet"  # what a caller adds comes last and wins


@pytest.mark.parametrize("name", names("archs"))
def test_every_machine_of_every_architecture(name: str) -> None:
    arch = load_arch(name)
    for machine in arch.machines:
        for accel in arch.cpu:
            spec = replace(SPEC, arch=arch, machine=machine, accel=accel)
            command = wired_command(spec, sockets(3, 4))
            assert _value(command, "-cpu") == arch.cpu[accel]
            assert _value(command, "-accel").split(",")[0] == accel
            assert arch.machines[machine].serial_device in command
            assert arch.machines[machine].image in arch.outputs


@pytest.mark.parametrize("name", names("archs"))
def test_disks_and_cards_are_on_the_bus_of_each_machine(name: str) -> None:
    arch = load_arch(name)
    for machine in arch.machines:
        spec = replace(SPEC, arch=arch, machine=machine, devices=Devices(disks=2, network_cards=2))
        for command in (wired_command(spec, sockets(3, 4)), hand_command(spec, Path("/r"))):
            bus = arch.machines[machine].serial_device.rpartition("-")[2]
            found = [word for word in command if word.startswith(("virtio-blk", "virtio-net"))]
            assert [word.partition(",")[0] for word in found] == [f"virtio-blk-{bus}"] * 2 + [f"virtio-net-{bus}"] * 2
            assert ("romfile=" in found[-1]) == (bus == "pci"), "a ROM would be looked for on the host"
            drives = {command[at + 1] for at, word in enumerate(command) if word == "-drive"} - set(
                arch.machines[machine].args
            )
            assert len(drives) == 2 and all("snapshot=on" in drive for drive in drives)
            networks = [command[at + 1] for at, word in enumerate(command) if word == "-netdev"]
            assert networks == ["hubport,id=card0,hubid=0", "hubport,id=card1,hubid=0"]
    assert not [word for word in wired_command(SPEC, sockets(3, 4)) if "blk" in word or "net" in word]


def test_disks_in_one_file_without_a_name() -> None:
    with disk_file(Devices(network_cards=1)) as path:
        assert path == ""
    with disk_file(Devices(disks=2)) as path:
        assert Path(path).stat().st_size == 2 << 30
        assert Path(path).readlink().name.endswith("(deleted)")
        command = wired_command(replace(SPEC, devices=Devices(disks=2), disk_file=path), sockets(3, 4))
        drives = [command[at + 1] for at, word in enumerate(command) if word == "-drive"]
        assert [drive.partition("offset=")[2].partition(",")[0] for drive in drives] == ["0M", "1024M"]
        assert all(f"file.filename={path}," in drive for drive in drives)
    assert not Path(path).exists()


def test_no_place_for_a_disk_is_the_machines_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", "/nowhere")
    with pytest.raises(MachineError, match="a guest's disk: No such file or directory"), disk_file(Devices(disks=1)):
        pass


def test_processors_in_turn_or_at_once() -> None:
    assert _value(hand_command(SPEC, Path("/r")), "-accel") == "tcg,thread=single"
    assert _value(hand_command(replace(SPEC, parallel=True), Path("/r")), "-accel") == "tcg,thread=multi"
    assert _value(hand_command(replace(SPEC, accel="kvm"), Path("/r")), "-accel") == "kvm"


def test_a_kernel_parameter_for_one_accelerator() -> None:
    words = [
        _value(hand_command(replace(SPEC, accel=accel), Path("/r")), "-append").split() for accel in ("tcg", "kvm")
    ]
    assert ["nolapic_timer" in line for line in words] == [True, False]


def test_the_image_follows_the_configuration() -> None:
    microvm, virt = SPEC.arch.machines["microvm"], load_arch("aarch64").machines["virt"]
    assert image_of(microvm, {"CONFIG_PVH=y", "CONFIG_SMP=y"}) == "vmlinux"
    assert image_of(microvm, {"CONFIG_PVH=y", "CONFIG_KASAN=y"}) == "image"
    assert image_of(microvm, {"# CONFIG_PVH is not set"}) == "image"
    assert image_of(virt, set()) == "image"


def test_the_form_for_people_needs_no_descriptors() -> None:
    assert [word for word in hand_command(SPEC, Path("/r")) if "fd=" in word] == []
    assert [word for word in terminal_command(SPEC, 7) if "fd=" in word] == ["socket,id=results,fd=7"]


def test_as_shell_says_the_same() -> None:
    command = hand_command(SPEC, Path("/with space"))
    text = as_shell(command)
    assert tuple(shlex.split(text.replace("\\\n", " "))) == command
    assert len(text.splitlines()) > 10


def test_what_does_not_exist() -> None:
    with pytest.raises(UserError, match="known: microvm, q35"):
        machine_of(SPEC.arch, "pc98")
    with pytest.raises(UserError, match="no accelerator `xen`"):
        check_accel(SPEC.arch, "xen")
    assert machine_of(SPEC.arch, "") is SPEC.arch.machines["microvm"]


@pytest.mark.parametrize("name", names("archs"))
def test_a_counted_guest_holds_nothing_that_differs(name: str) -> None:
    arch = load_arch(name)
    command = wired_command(replace(SPEC, arch=arch, machine="", smp=1, counted=True), sockets(7, 9))
    assert _value(command, "-icount") == "shift=0,sleep=off,rr=record,rrfile=/dev/null"
    assert _value(command, "-rtc") == "base=2020-01-01,clock=vm"
    assert _value(command, "-seed") == "1"
    assert {"nokaslr", "norandmaps"} <= set(_value(command, "-append").split())
    assert not [word for word in command if "rng" in word]
    assert "-icount" not in wired_command(replace(SPEC, arch=arch, machine=""), sockets(7, 9))


def test_no_channel_of_a_counted_guest_waits_for_the_host() -> None:
    """QEMU's main loop serves an eventfd when the host has time; virtio-mmio has none under TCG."""
    for name in names("archs"):
        arch = load_arch(name)
        for machine in (name for name, machine in arch.machines.items() if machine.counted):
            command = wired_command(replace(SPEC, arch=arch, machine=machine, smp=1, counted=True), sockets(7, 9))
            assert not [word for word in command if "-pci" in word and "ioeventfd=off" not in word]


def test_a_machine_that_cannot_count_says_which_can() -> None:
    plain = SPEC.arch.machines["q35"].model_copy(update={"counted": None})
    arch = SPEC.arch.model_copy(update={"machines": {**SPEC.arch.machines, "q35": plain}})
    with pytest.raises(UserError, match=r"`q35`.*microvm"):
        check_counted(arch, "q35")


def test_a_machine_that_cannot_start_the_kernel_says_what_it_wants(tmp_path: Path) -> None:
    machine = SPEC.arch.machines["q35"].model_copy(
        update={"image_needs": ("CONFIG_EFI_STUB=y",), "image_otherwise": ""}
    )
    assert not machine.boots_any_kernel and SPEC.arch.machines["q35"].boots_any_kernel
    (tmp_path / "config").write_text("CONFIG_EFI=y\n# CONFIG_EFI_STUB is not set\n")
    with pytest.raises(UnfitKernelError, match=r"only kernels with CONFIG_EFI_STUB=y: name that"):
        kernel_of(machine, tmp_path)
    (tmp_path / "config").write_text("CONFIG_EFI=y\nCONFIG_EFI_STUB=y\n")
    assert kernel_of(machine, tmp_path) == tmp_path / machine.image
