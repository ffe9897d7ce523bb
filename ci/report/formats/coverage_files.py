# SPDX-License-Identifier: GPL-2.0-or-later
"""Coverage for other tools: LCOV's tracefile and Cobertura's XML. Both speak of the lines that the series adds and of
which the compiler made code, and of no other.

LCOV: geninfo(1), "FILES". Cobertura: coverage-04.dtd; GitLab reads the file names and the lines' hits, and takes a name
as relative to the root of the project.
"""

from xml.etree import ElementTree

from ci.model.coverage import Coverage, FileCoverage
from util.text import plain

LCOV, COBERTURA = "coverage.info", "coverage.xml"


def lcov(coverage: Coverage) -> str:
    """coverage.info."""
    records = []
    for file in coverage.files:
        lines = file.counted
        if lines:
            hit = sum(1 for line in lines if line.count)
            data = [f"DA:{line.number},{line.count}" for line in lines]
            name = plain(file.path).replace("\n", " ")
            records += ["TN:", f"SF:{name}", *data, f"LF:{len(lines)}", f"LH:{hit}", "end_of_record"]
    return "".join(f"{line}\n" for line in records)


def cobertura(coverage: Coverage, moment: int) -> str:
    """coverage.xml. `moment` is in seconds since the epoch."""
    files = [file for file in coverage.files if file.counted]
    root = ElementTree.Element("coverage", {**_rates(files), "version": "1", "timestamp": str(moment * 1000),
                                            "branch-rate": "0", "branches-covered": "0", "branches-valid": "0",
                                            "complexity": "0"})  # fmt: skip
    ElementTree.SubElement(ElementTree.SubElement(root, "sources"), "source").text = "."
    packages = ElementTree.SubElement(root, "packages")
    by_folder: dict[str, list[FileCoverage]] = {}
    for file in files:
        by_folder.setdefault(file.path.rpartition("/")[0], []).append(file)
    for folder, inside in sorted(by_folder.items()):
        package = _element(packages, "package", plain(folder) or ".", inside)
        classes = ElementTree.SubElement(package, "classes")
        for file in inside:
            one = _element(classes, "class", plain(file.path.rpartition("/")[2]), [file])
            one.set("filename", plain(file.path))
            ElementTree.SubElement(one, "methods")
            lines = ElementTree.SubElement(one, "lines")
            for line in file.counted:
                ElementTree.SubElement(lines, "line", {"number": str(line.number), "hits": str(line.count)})
    ElementTree.indent(root)
    text = ElementTree.tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}\n'


def _element(parent: ElementTree.Element, kind: str, name: str, files: list[FileCoverage]) -> ElementTree.Element:
    rate = _rates(files)["line-rate"]
    return ElementTree.SubElement(
        parent, kind, {"name": name, "line-rate": rate, "branch-rate": "0", "complexity": "0"}
    )


def _rates(files: list[FileCoverage]) -> dict[str, str]:
    valid = sum(len(file.counted) for file in files)
    covered = sum(1 for file in files for line in file.counted if line.count)
    rate = covered / valid if valid else 1.0
    return {"line-rate": f"{rate:.4f}", "lines-covered": str(covered), "lines-valid": str(valid)}
