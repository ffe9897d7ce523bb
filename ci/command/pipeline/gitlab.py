# SPDX-License-Identifier: GPL-2.0-or-later
"""`rig.py gitlab`."""

from pathlib import Path

import click

from util.text import counted

_OUT = click.argument("out", type=click.Path(file_okay=False, path_type=Path))


@click.group("gitlab")
def COMMAND() -> None:  # noqa: N802
    """Pipelines of GitLab: divide a run into jobs, hand kernels and results on, show what was found.

    docs/gitlab.md is a tutorial. The template ci/gitlab/rig.yml calls these commands.
    """


@COMMAND.command("generate")
@click.argument("words", nargs=-1, metavar="[-- OPTIONS OF check...]", type=click.UNPROCESSED)
@click.option("--out", default="rig-ci", show_default=True, type=click.Path(file_okay=False, path_type=Path),
              help="Where child.yml and shards.json go, from the project's folder.")  # fmt: skip
@click.option("--jobs", default=6, show_default=True, type=click.IntRange(1), help="No more jobs than these.")
@click.option("--least", default=300.0, show_default=True, type=click.FloatRange(0), metavar="SECONDS",
              help="Guests that take less are not divided any further.")  # fmt: skip
@click.option("--took", multiple=True, type=click.Path(file_okay=False, path_type=Path), metavar="OUT",
              help="The output of an earlier run, which says how long everything takes; may be absent.")  # fmt: skip
@click.option("--tag", "tags", multiple=True, metavar="KEY=TAG,...",
              help="Runner tags for an architecture (x86_64=big) or an accelerator (kvm=metal).")  # fmt: skip
def generate(words: tuple[str, ...], out: Path, jobs: int, least: float, took: tuple[Path, ...],
             tags: tuple[str, ...]) -> None:  # fmt: skip
    """Write the child pipeline of a run: kernels first, then the guests that boot them.

    Every job runs `rig.py check` with the given options for a part of the plan; `rig.py merge` joins the parts.
    """
    import os

    from ci.command.series.check import plan_of
    from ci.command.shared.running import running
    from ci.gitlab.begin import check_series, refused
    from ci.gitlab.child import CHILD, SHARDS, ChildOptions, child_pipeline, read_tags
    from ci.plan.divide import divide, times_of
    from ci.plan.expand import opened
    from ci.report.output import RESULTS, read_results
    from configs.names import names
    from util.errors import UserError
    from util.files.atomic import write_atomic

    if out.is_absolute():
        raise UserError(f"--out {out}: must be a folder of the project, named from the project's own folder")
    with refused(out), running(quiet=False) as (emit, stop):
        plan = plan_of(words)
        check_series(plan)
        plan = opened(plan, emit, stop)
    keys = read_tags(tags, (*names("archs"), "auto", "kvm", "tcg", "hvf"))
    earlier = [folder for folder in took if (folder / RESULTS).is_file()]
    shards = divide(plan, times_of(map(read_results, earlier)), jobs, least)
    options = ChildOptions(words, out.as_posix(), keys, plan.accel, os.environ.get("CI_PROJECT_DIR", ""))
    write_atomic(out / CHILD, child_pipeline(shards, options))
    write_atomic(out / SHARDS, shards.model_dump_json(indent=1) + "\n")
    known = f"by {counted(len(earlier), 'earlier run')}" if earlier else "by estimates"
    click.echo(f"{len(shards.shards)} jobs, sized {known}:")
    for shard in shards.shards:
        after = f" after {', '.join(shard.after)}" if shard.after else ""
        click.echo(f"  {shard.name}: {counted(len(shard.places), 'cell')}, about {shard.seconds:.0f} s{after}")


@COMMAND.command("pack")
@_OUT
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
def pack(out: Path, folder: Path) -> None:
    """Copy the kernels of the run in OUT into FOLDER, for the jobs that boot them."""
    from ci.gitlab.builds import pack as pack_builds
    from ci.report.output import read_results

    count, size = pack_builds(read_results(out), folder)
    click.echo(f"{folder}: {count} kernels, {size / 1e6:.0f} MB")


@COMMAND.command("unpack")
@click.argument("folder", type=click.Path(path_type=Path))
def unpack(folder: Path) -> None:
    """Take the kernels in FOLDER into this machine's cache."""
    from ci.gitlab.builds import unpack as unpack_builds

    click.echo(f"{folder}: {unpack_builds(folder)} kernels taken")


@COMMAND.command("send")
@_OUT
def send(out: Path) -> None:
    """Hand the shard in OUT on to the job that joins the shards.

    Nothing to do outside of a job of a GitLab server: there the job's folder is handed on.
    """
    from ci.gitlab.packages import pipeline
    from ci.gitlab.packages import send as send_shard
    from ci.gitlab.server import of_job

    if server := of_job():
        click.echo(f"{out}: sent, {send_shard(out, server, pipeline()) / 1e3:.0f} kB")
    else:
        click.echo(f"{out}: kept here, as this is no job of a server")


@COMMAND.command("fetch")
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.option("--shards", required=True, type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
              help="The shards that the plan was divided into.")  # fmt: skip
def fetch(folder: Path, shards: Path) -> None:
    """Bring the shards of this pipeline into FOLDER. One that is not there is for `rig.py merge` to say."""
    from ci.gitlab.packages import fetch as fetch_shard
    from ci.gitlab.packages import pipeline
    from ci.gitlab.server import of_job
    from ci.plan.shards import read_shards

    server = of_job()
    for shard in read_shards(shards).shards:
        found = fetch_shard(shard.name, folder, server, pipeline()) if server else (folder / shard.name).is_dir()
        click.echo(f"{shard.name}: {'here' if found else 'missing'}")


@COMMAND.command("report")
@_OUT
@click.option("--code-quality", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
              help="Warnings and findings with path and line, as GitLab's code quality report.")  # fmt: skip
@click.option("--note-file", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
              help="The text of a note under the merge request, as Markdown.")  # fmt: skip
@click.option("--name", default="rig", show_default=True, help="Whose note it is, where several jobs write one.")
@click.option("--link", default="", help="Where the note's link leads; absent: the job's page.")
def report(out: Path, code_quality: Path | None, note_file: Path | None, name: str, link: str) -> None:
    """Write what GitLab shows of the run in OUT, beside its junit.xml."""
    from ci.gitlab import note, quality
    from ci.report.output import read_results
    from util.errors import UserError
    from util.files.atomic import write_atomic

    if not (code_quality or note_file):
        raise UserError("nothing to write: give --code-quality or --note-file")
    run = read_results(out)
    if code_quality:
        write_atomic(code_quality, quality.render(run))
    if note_file:
        write_atomic(note_file, note.render(run, name, link))


@COMMAND.command("note")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--merge-request", default="", metavar="NUMBER", help="Absent: that of this job.")
def note(file: Path, merge_request: str) -> None:
    """Put the text of FILE under the merge request; the note of an earlier run is changed instead.

    RIG_GITLAB_TOKEN holds a token with the scope `api`: a job's own may not write notes.
    """
    from ci.gitlab import note as notes
    from ci.gitlab.server import of_user
    from util.errors import UserError

    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{file}: cannot be read: {error}") from None
    click.echo(notes.post(text, of_user("RIG_GITLAB_TOKEN"), merge_request))


@COMMAND.command("schedule")
@click.argument("words", nargs=-1, metavar="BRANCH... [-- OPTIONS OF check...]", type=click.UNPROCESSED)
@click.option("--out", default="rig-ci", show_default=True, type=click.Path(file_okay=False, path_type=Path),
              help="Where child.yml and its companions go.")  # fmt: skip
@click.option("--state", default=".rig-green", show_default=True, type=click.Path(file_okay=False, path_type=Path),
              help="Where it is noted at which commit each branch was green.")  # fmt: skip
@click.option("--since", default="", metavar="COMMIT", help="Where a branch begins that was never green.")
def schedule(words: tuple[str, ...], out: Path, state: Path, since: str) -> None:
    """Write the child pipeline of a schedule: each branch that changed, from where it last was green."""
    import os

    from ci.gitlab.child import CHILD, SHARDS, branch_pipeline
    from ci.gitlab.schedule import CHANGES, Repository, changes, read_green
    from ci.plan.shards import ShardChoice, Shards
    from util.files.atomic import write_atomic

    branches, options = _split(words)
    root = os.environ.get("CI_PROJECT_DIR", "")
    found = changes(Repository(Path(root or ".")), branches, read_green(state), since)
    shards = Shards(shards=tuple(ShardChoice(name=change.name, places=()) for change in found.changes))
    write_atomic(out / CHILD, branch_pipeline(found, options, root))
    write_atomic(out / SHARDS, shards.model_dump_json(indent=1) + "\n")
    write_atomic(out / CHANGES, found.model_dump_json(indent=1) + "\n")
    for change in found.changes:
        click.echo(f"{change.branch}: {change.old[:12]}..{change.new[:12]}")
    for branch in found.unchanged:
        click.echo(f"{branch}: nothing changed since it was green")


def _split(words: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Branches, and the options behind the first that begins with a dash."""
    first = next((number for number, word in enumerate(words) if word.startswith("-")), len(words))
    return words[:first], tuple(word for word in words[first:] if word != "--")


@COMMAND.command("green")
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.option("--changes", required=True, type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
              help="What `gitlab schedule` found to test.")  # fmt: skip
@click.option("--state", default=".rig-green", show_default=True, type=click.Path(file_okay=False, path_type=Path),
              help="Where it is noted at which commit each branch was green.")  # fmt: skip
def green(folder: Path, changes: Path, state: Path) -> None:
    """Note which branches passed, by their results below FOLDER. The exit status is the worst of them."""
    import sys

    from ci.gitlab.schedule import note_green, read_changes

    verdicts = note_green(state, read_changes(changes), folder)
    for change, verdict in verdicts:
        click.echo(f"{change.branch}: {verdict.value} ({change.old[:12]}..{change.new[:12]})")
    codes = {verdict.exit_code for _, verdict in verdicts}
    sys.exit(1 if 1 in codes else max(codes, default=0))


@COMMAND.command("cache")
@click.argument("megabytes", type=click.IntRange(0))
def cache(megabytes: int) -> None:
    """Make a job's own cache small enough to be carried from job to job, and say what it holds.

    Checkouts go first, then whatever was not used for longest. A cache outside of the project's folder (CI_PROJECT_DIR)
    is left alone: others use it too.
    """
    import os

    from ci.command.shared.running import running
    from ci.gitlab.cache import own, shrink
    from util.paths import cache_root

    if not own(os.environ.get("CI_PROJECT_DIR", "")):
        click.echo(f"cache: {cache_root()} is not inside of the project, and is left alone")
        return

    with running(quiet=False) as (emit, stop):
        text = shrink(megabytes * 1_000_000, emit, stop)
    click.echo(text)
