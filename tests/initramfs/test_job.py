# SPDX-License-Identifier: GPL-2.0-or-later
"""The job file: what Python writes, and what init's own reader makes of it and of damage."""

import subprocess
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from configs.model import Arch
from initramfs.base import INIT, native_abi
from initramfs.job import GuestJob, Mode, Step, encode
from initramfs.toolchain import compile_static
from util.errors import UserError
from util.stop import Stop

HERE = Path(__file__).parent
SECOND = 10**9


@pytest.fixture(scope="session")
def reader(host_arch: Arch) -> Path:
    """Init's reader, printing what it has read."""
    sources = [HERE / "jobdump.c", INIT / "job.c"]
    flags = ("-std=gnu11", "-O1", "-Wall", "-Wextra", "-Werror", "-fsanitize=undefined", "-fno-sanitize-recover")
    return compile_static(native_abi(host_arch).toolchain, sources, "jobdump", flags=flags, stop=Stop())


def read(reader: Path, data: bytes) -> tuple[int, list[bytes]]:
    with tempfile.NamedTemporaryFile() as file:
        file.write(data)
        file.flush()
        done = subprocess.run([str(reader), file.name], capture_output=True, timeout=30, check=False)
    assert done.stderr == b""
    return done.returncode, done.stdout.split(b"\0")[:-1]


def expected(job: GuestJob) -> list[bytes]:
    """What the reader prints, from the job itself."""
    words = [job.nonce, str(job.mode), str(round(job.heartbeat * SECOND)), str(round(job.answer * SECOND))]
    words += [text for name, value in job.sysctls for text in (name.replace(".", "/"), value)]
    for step in job.steps:
        words += [step.name, step.cwd, str(max(1, round(step.timeout * job.time_scale * SECOND)))]
        words += [*step.argv, "|", *(f"{name}={value}" for name, value in step.env), "|", *step.collect, "|"]
    return [word.encode("utf-8", "surrogateescape") for word in words]


text = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20)
paths = text.map(lambda rest: "/" + rest)
variable = st.from_regex(r"[A-Za-z_][0-9A-Za-z_]{0,8}", fullmatch=True)
steps = st.builds(
    Step,
    name=st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=10),
    argv=st.builds(lambda first, rest: (first, *rest), text.filter(bool), st.lists(text, max_size=4)),
    env=st.lists(st.tuples(variable, text), max_size=3).map(tuple),
    cwd=paths,
    timeout=st.floats(0.001, 10000),
    collect=st.lists(paths, max_size=3).map(tuple),
)
jobs = st.builds(
    GuestJob,
    nonce=st.from_regex(r"[0-9a-f]{1,32}", fullmatch=True),
    steps=st.lists(steps, max_size=4).map(tuple),
    time_scale=st.floats(0.1, 50),
    heartbeat=st.floats(0.01, 60),
    answer=st.floats(0, 60),
    mode=st.sampled_from(Mode),
    sysctls=st.lists(st.tuples(st.sampled_from(["kernel.panic", "net/ipv4/ip_forward"]), text), max_size=2).map(tuple),
)


@pytest.mark.slow
@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(job=jobs)
def test_init_reads_what_the_host_writes(reader: Path, job: GuestJob) -> None:
    assert read(reader, encode(job)) == (0, expected(job))


SAMPLE = encode(
    GuestJob("abc", (Step("s", ("prog", "arg"), env=(("A", "b"),), collect=("/x",)),), sysctls=(("a.b", "1"),))
)


@pytest.mark.parametrize("cut", range(len(SAMPLE)))
def test_a_job_cut_anywhere_is_refused(reader: Path, cut: int) -> None:
    status, words = read(reader, SAMPLE[:cut])
    assert status == 1 and words


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (b"rig-job/2", b"rig-job/3", b"is of another version than this init"),
        (b"\0run\0", b"\0walk\0", b"names an unknown mode"),
        (b"\0end\0", b"\0end\0more\0", b"goes on after its end"),
        (b"\0end\0", b"\0more\0end\0", b"goes on after its last step"),
        (b"\x00500000000\x00", b"\0-500000000\0", b"holds a malformed number"),
        (b"\x00500000000\x00", b"\0\0", b"holds a malformed number"),
        (b"\x00500000000\x00", b"\x0099999999999999999999\0", b"holds a malformed number"),
        (b"\x002\0prog", b"\x0099999999\0prog", b"holds a count beyond reason"),
        (b"\x002\0prog\0arg\0", b"\x000\0", b"holds a step without a program"),
    ],
)
def test_damage_is_named(reader: Path, old: bytes, new: bytes, words: bytes) -> None:
    assert SAMPLE.count(old) == 1
    assert read(reader, SAMPLE.replace(old, new)) == (1, [words])


def step(**fields: object) -> GuestJob:
    return GuestJob("n", (Step(**{"name": "s", "argv": ("true",), **fields}),))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("job", "words"),
    [
        (GuestJob(""), "nonce"),
        (GuestJob("a b"), "nonce"),
        (GuestJob("x" * 65), "nonce"),
        (GuestJob("n\n"), "nonce"),
        (GuestJob("n", mode="walk"), "none of `run`, `shell` and `wait`"),
        (GuestJob("n", heartbeat=0), "heartbeat"),
        (GuestJob("n", answer=-1), "answer"),
        (GuestJob("n", (Step("s", ("true",)),) * 4097), "split the job"),
        (GuestJob("n", sysctls=(("../etc/passwd", "x"),)), "no sysctl"),
        (GuestJob("n", sysctls=(("kernel", "x"),)), "no sysctl"),
        (step(name=""), "a name is one line"),
        (step(name="a\nb"), "a name is one line"),
        (step(argv=()), "names no program"),
        (step(argv=("",)), "names no program"),
        (step(timeout=0), "is not within 30 days"),
        (step(timeout=float("nan")), "is not within 30 days"),
        (step(timeout=float("inf")), "is not within 30 days"),
        (step(cwd="tmp"), "start with a slash"),
        (step(collect=("log",)), "start with a slash"),
        (step(env=(("A=B", "c"),)), "no name of a variable"),
        (step(argv=("a", "b\0c")), "holds no NUL"),
        (step(argv=("a", "b" * 65536)), "fewer than 65536 bytes"),
    ],
)
def test_what_a_guest_could_not_do_is_refused(job: GuestJob, words: str) -> None:
    with pytest.raises(UserError, match=words):
        encode(job)
