# SPDX-License-Identifier: GPL-2.0-or-later
"""Whatever stands in a YAML file: it is read, or one line says which line of it is wrong."""

import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ci.verdict.known import load_known
from configs.loader import load
from configs.model import Profile
from configs.yaml_text import read_yaml
from util.errors import UserError

GOOD = "name: mine\ndescription: a job\nsource: folder\narchs: [x86_64]\nsuites: [boot]\n"
LAUGHS = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12)
)
CHAIN = "a0: &a0 [x]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}]\n" for n in range(1, 900))


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("when: 2026-02-30\n", 1, "`2026-02-30` is no timestamp"),
        ("a: 1\nwhen: 2026-13-01 10:00:00\n", 2, "is no timestamp"),
        ("when: 2026-01-01T25:00:00Z\n", 1, "is no timestamp"),
        ("flag: !!bool maybe\n", 1, "`maybe` is no bool"),
        ("flag: !!null full\n", None, ""),
        ("when: !!timestamp yesterday\n", 1, "`yesterday` is no timestamp"),
        ("count: !!int many\n", 1, "`many` is no int"),
        ("count: !!float many\n", 1, "`many` is no float"),
        ("blob: !!binary '%%%'\n", None, ""),
        ("blob: !!binary é\n", 1, "failed to convert base64 data"),
        (f"count: {'9' * 5000}\n", 1, "a number of 5000 characters"),
        (f"count: 0x{'f' * 5000}\n", 1, "a number of 5002 characters"),
        (f"count: 1{':10' * 3000}\n", 1, "a number of 9001 characters"),
        (f"count: 1.{'9' * 5000}\n", 1, "a number of 5002 characters"),
        ("count: 1e999\n", None, ""),
        ("count: .inf\n", 1, "`.inf` is no finite number"),
        ("count: .nan\n", 1, "`.nan` is no finite number"),
        ("a: 1\nbudgets: []\nb: 2\nbudgets: []\n", 4, "the key `budgets` stands twice, on line 2 and on line 4"),
        ("a:\n  - {x: 1, x: 1}\n", 2, "the key `x` stands twice, on line 2 and on line 2"),
        ("'a': 1\n\"a\": 2\n", 2, "the key `a` stands twice, on line 1 and on line 2"),
        ("[" * 3000, 1, "nested more than 40 deep"),
        ("{a: " * 300 + "}" * 300, 1, "nested more than 40 deep"),
        ("- " * 2000 + "x\n", 1, "nested more than 40 deep"),
        ("a: &a [*a]\n", 1, "contains itself"),
        ("&a x: {y: &b {z: *b}}\n", 1, "contains itself"),
        (LAUGHS, None, "stands for more than 50000 values"),
        (CHAIN, None, "nested more than 40 deep, through aliases"),
        ("a: *nowhere\n", 1, "found undefined alias"),
        ("name: \"\\e[31mred\"\n", 1, "holds a control character"),
        ("name: \"\\0\"\n", 1, "holds a control character"),
        ("? [a]\n: b\n", 1, "found unhashable key"),
        ("a: !!python/object:os.system x\n", 1, "could not determine a constructor"),
        ("a: 1\n--- \nb: 2\n", 2, "but found another document"),
        ("a: \x00\n", None, "special characters are not allowed"),
        ("%YAML 9.9\n---\na: 1\n", 1, "incompatible YAML document"),
    ],
)  # fmt: skip
def test_one_line_says_what_is_wrong(tmp_path: Path, text: str, line: int | None, words: str) -> None:
    path = tmp_path / "file.yaml"
    path.write_text(text, encoding="utf-8")
    begun = time.monotonic()
    if not words:
        read_yaml(path)
        return
    with pytest.raises(UserError) as caught:
        read_yaml(path)
    said = str(caught.value)
    assert said.startswith(f"{path}:{line}: " if line else f"{path}") and words in said
    assert said.isprintable()
    assert time.monotonic() - begun < 10


def test_a_file_that_is_too_long_is_refused_before_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "file.yaml"
    with path.open("wb") as file:
        file.truncate(3 << 30)
    with pytest.raises(UserError, match="longer than 1 MB"):
        read_yaml(path)


@pytest.mark.parametrize("text", [b"\xff\xfea", b"\xe4", b"a: \xed\xa0\x80"])
def test_what_is_no_utf_8(tmp_path: Path, text: bytes) -> None:
    path = tmp_path / "file.yaml"
    path.write_bytes(text)
    with pytest.raises(UserError, match="is not UTF-8 text"):
        read_yaml(path)


def test_anchors_and_merge_keys_are_taken(tmp_path: Path) -> None:
    path = tmp_path / "file.yaml"
    path.write_text("base: &base {a: 1}\nmore: {<<: *base, a: 2}\nlist: [&x y, *x]\n", encoding="utf-8")
    assert read_yaml(path).data == {"base": {"a": 1}, "more": {"a": 2}, "list": ["y", "y"]}


def test_a_second_budgets_is_an_error_of_the_profile(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(f"{GOOD}budgets: []\nrerun: 1\nbudgets: []\n", encoding="utf-8")
    with pytest.raises(UserError, match=r"mine.yaml:8: .*`budgets` stands twice, on line 6 and on line 8"):
        load(path, Profile)


def test_known_issues_with_a_date_that_does_not_exist(tmp_path: Path) -> None:
    path = tmp_path / "known.yaml"
    path.write_text("issues:\n  - {test: a, reason: b, link: https://example.org, expires: 2026-02-30}\n")
    with pytest.raises(UserError, match=r"known.yaml:2: .*`2026-02-30` is no timestamp"):
        load_known(path)


@pytest.mark.slow
@given(data=st.data())
@settings(max_examples=150, deadline=None)
def test_a_mutated_profile_is_read_or_one_line(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    path = tmp_path_factory.mktemp("yaml") / "mine.yaml"
    content = bytearray(GOOD.encode())
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(content)))
        content[place : place + data.draw(st.integers(0, 3))] = data.draw(
            st.sampled_from([b"&a ", b"*a", b"[", b"{", b"!!bool ", b"!!timestamp ", b": ", b"\n", b"- ", b"\t", b"'"])
            | st.binary(min_size=1, max_size=3)
        )
    path.write_bytes(content)
    try:
        load(path, Profile)
    except UserError as error:
        assert str(error).isprintable() and str(error).startswith(str(path))
