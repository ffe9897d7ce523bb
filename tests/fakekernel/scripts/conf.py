# SPDX-License-Identifier: GPL-2.0-or-later
"""A very small stand-in for the kernel's conf: symbols of three types, prompts, `depends on`, `select`, `default y`."""

import re
import sys
from pathlib import Path
from typing import Any

Entries = dict[str, dict[str, Any]]


def read_kconfig(path: str) -> Entries:
    entries: Entries = {}
    entry: dict[str, Any] | None = None
    for number, line in enumerate(Path(path).read_text().splitlines(), 1):
        if match := re.match(r"config (\w+)", line):
            entry = entries.setdefault(match[1], {"depends": [], "select": [], "default": "n", "prompt": False})
        elif entry is None:
            continue
        elif match := re.match(r"\s+(bool|tristate|int)( \".*\")?$", line):
            entry["prompt"] = bool(match[2])
            entry["number"] = match[1] == "int"
            entry["module"] = match[1] == "tristate"
        elif match := re.match(r"\s+depends on (\w+)", line):
            entry["depends"].append(match[1])
        elif match := re.match(r"\s+select (\w+)", line):
            entry["select"].append(match[1])
        elif re.match(r"\s+default y", line):
            entry["default"] = "y"
        elif re.match(r"\s+help", line):
            entry = None
        elif re.match(r"\s*nonsense", line):
            sys.exit(f"{path}:{number}: syntax error at {line.strip()}")
    return entries


def read_config(path: str) -> dict[str, str]:
    values = {}
    for line in Path(path).read_text().splitlines() if Path(path).exists() else []:
        if match := re.match(r"CONFIG_(\w+)=(.*)", line):
            values[match[1]] = match[2]
        elif match := re.match(r"# CONFIG_(\w+) is not set", line):
            values[match[1]] = "n"
    return values


def settle(entries: Entries, wanted: dict[str, str], fallback: str) -> dict[str, str]:
    final: dict[str, str] = {}
    before: dict[str, str] | None = None
    while before != final:
        before = dict(final)
        selected = {name for key, other in entries.items() if final.get(key) == "y" for name in other["select"]}
        for name, entry in entries.items():
            met = all(final.get(other, "n") == "y" for other in entry["depends"])
            value = wanted.get(name, fallback or entry["default"]) if entry["prompt"] else entry["default"]
            if entry.get("number"):
                final[name] = value if re.fullmatch(r"-?\d+", value) else "0"
            elif entry.get("module") and met and value == "m":
                final[name] = "m"
            else:
                final[name] = "y" if (value == "y" and met) or name in selected else "n"
    return final


def main(mode: str, kconfig: str, config: str, *rest: str) -> None:
    entries = read_kconfig(kconfig)
    if mode == "header":
        text = "".join(f"#define CONFIG_{name} 1\n" for name, value in read_config(config).items() if value == "y")
        if not Path(rest[0]).exists() or Path(rest[0]).read_text() != text:
            Path(rest[0]).write_text(text)
        return
    wanted = read_config(rest[0]) if mode == "tiny" else read_config(config)
    if mode == "all":
        wanted = {name: "1" if entry.get("number") else "y" for name, entry in entries.items()}
    final = settle(entries, wanted, "n" if mode == "tiny" else "")
    lines = [
        f"# CONFIG_{name} is not set" if value == "n" else f"CONFIG_{name}={value}" for name, value in final.items()
    ]
    Path(config).write_text("\n".join(lines) + "\n")


main(*sys.argv[1:])
