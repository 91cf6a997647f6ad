"""`pakhus upload`: files and folders, each to the repository for its type."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pakhus.cli import session as sessions
from pakhus.cli.command import add
from pakhus.cli.outcome import Code, Failure
from pakhus.cli.output import Output, require
from pakhus.cli.repo import settings_path

if TYPE_CHECKING:
    from pakhus.cli.client import Client
    from pakhus.cli.upload.plan import Parcel
    from pakhus.cli.upload.transfer import Receipt


def register(app: typer.Typer) -> None:
    add(app, "upload", upload, rich_help_panel="Client")


def upload(
    out: Output,
    paths: Annotated[
        list[str],
        typer.Argument(metavar="[REPO] PATHS...", help="Files and folders; before them, a repository for all."),
    ],
    repository: Annotated[str, typer.Option("--repo", help="The repository for all files.")] = "",
    patterns: Annotated[
        list[str] | None, typer.Option("--map", help="'*.whl=pypi-hosted': the repository for these; repeatable.")
    ] = None,
    prefix: Annotated[str, typer.Option(help="Folder in raw repositories to upload below.")] = "",
    jobs: Annotated[int, typer.Option("--jobs", "-j", min=1, max=64, help="Uploads at the same time.")] = 4,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would go where.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Send also what the server has already.")] = False,
    retry_for: Annotated[float, typer.Option(min=0, help="Seconds to wait for an unreachable server.")] = 60.0,
    state: Annotated[
        Path | None, typer.Option(help="File that remembers what is done, for an interrupted run.")
    ] = None,
    report: Annotated[Path | None, typer.Option(help="Write the report to this file, as JSON.")] = None,
) -> None:
    """Upload packages and files; without a repository, each goes to the hosted repository for its type."""
    from pakhus.cli.client import Client
    from pakhus.cli.upload.plan import rules

    if not repository and len(paths) > 1 and not Path(paths[0]).exists():
        repository, *paths = paths
    require(not (repository and patterns), "give a repository or --map, not both")
    chosen = rules(repository, patterns or [], prefix)
    with Client(sessions.current(), out) as client:
        parcels = planned(client, chosen, [Path(path) for path in paths])
        require(bool(parcels), "nothing to upload", Code.USAGE)
        if dry_run:
            show_plan(out, parcels)
            return
        receipts = sent(client, parcels, jobs=jobs, retry_for=retry_for, state=state, skip_present=not overwrite)
    told = summary(receipts)
    if report:
        report.write_text(json.dumps(told, indent=2) + "\n", "utf-8")
    out.result(told, lambda: tell(out, told))
    if code := exit_code(receipts):
        raise typer.Exit(code)


def planned(client: Client, chosen: Any, paths: Sequence[Path]) -> list[Parcel]:
    from pakhus.cli.upload.plan import Planner, files

    def settings_of(repository: Any) -> Any:
        try:
            return client.get(settings_path(repository["format"], repository["type"], repository["name"]))
        except Failure as failure:
            if failure.code in (Code.DENIED, Code.NOT_FOUND):
                return {}
            raise

    planner = Planner(client.repositories(), chosen, settings_of)
    if chosen.repository and chosen.repository not in planner.repositories:
        raise Failure(f"there is no repository {chosen.repository}, or you may not see it", Code.NOT_FOUND)
    return [planner.plan(file, relative) for file, relative in files(paths)]


def sent(
    client: Client, parcels: Sequence[Parcel], *, jobs: int, retry_for: float, state: Path | None, skip_present: bool
) -> list[Receipt]:
    from pakhus.cli.client import Patience
    from pakhus.cli.upload.transfer import Journal, Sender

    total = sum(parcel.file.stat().st_size for parcel in parcels if not (parcel.skip or parcel.problem))
    with progress_bar(client.out, total) as progress:
        sender = Sender(
            client,
            patience=Patience(total=retry_for),
            journal=Journal(state),
            skip_present=skip_present,
            progress=progress,
        )

        def finished(receipt: Receipt) -> None:
            if not client.out.json:
                parcel = receipt.parcel
                place = f" → {parcel.repository}" if parcel.repository else ""
                line = f"{receipt.status:8} {parcel.file}{place}"
                if receipt.status == "failed":
                    client.out.note(f"{line}: {receipt.error}")
                else:
                    client.out.detail(line)

        return sender.send_all(parcels, jobs=jobs, finished=finished)


@contextmanager
def progress_bar(out: Output, total: int) -> Iterator[Callable[[int], None]]:
    if not out.shows_progress:
        yield lambda count: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn, TransferSpeedColumn

    columns = (BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("upload", total=total)
        yield lambda count: bar.advance(task, count)


def show_plan(out: Output, parcels: Sequence[Parcel]) -> None:
    document = [
        {
            "file": str(parcel.file),
            "format": parcel.format,
            "repository": parcel.repository,
            "path": parcel.path,
            "skip": parcel.skip,
            "problem": parcel.problem,
        }
        for parcel in parcels
    ]
    rows = [
        (str(p.file), p.format, p.repository or "-", p.problem or p.skip or p.path or "(from the package)")
        for p in parcels
    ]
    out.table(document, ("File", "Format", "Repository", "Path"), rows)
    if any(parcel.problem for parcel in parcels):
        raise typer.Exit(Code.FAILURE)


def summary(receipts: Sequence[Receipt]) -> dict[str, Any]:
    counts = Counter(receipt.status for receipt in receipts)
    return {
        "summary": {status: counts[status] for status in ("uploaded", "present", "skipped", "failed")}
        | {"bytes": sum(receipt.size for receipt in receipts if receipt.status == "uploaded")},
        "files": [receipt.document() for receipt in receipts],
    }


def tell(out: Output, told: dict[str, Any]) -> None:
    if not out.quiet:
        counts = {name: count for name, count in told["summary"].items() if name != "bytes"}
        print(", ".join(f"{count} {name}" for name, count in counts.items() if count))


def exit_code(receipts: Sequence[Receipt]) -> Code:
    """OK, PARTIAL if some arrived, else the reason that all failures share."""
    failed = [receipt for receipt in receipts if receipt.status == "failed"]
    if not failed:
        return Code.OK
    if any(receipt.status in ("uploaded", "present") for receipt in receipts):
        return Code.PARTIAL
    codes = {receipt.code for receipt in failed}
    return codes.pop() if len(codes) == 1 else Code.FAILURE
