"""Makes a practice archive: exposures, references and truth, in two processes or more."""

from __future__ import annotations

import fcntl
import hashlib
import json
import multiprocessing
import os
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from upramp import __version__
from upramp.atomic import output_errors, write_text
from upramp.errors import UprampError, UsageError
from upramp.progress import Progress, Silent

from . import crds_context
from .programs import PROGRAMS, Program

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = [
    "DEFAULT_SEED",
    "environment",
    "list_programs",
    "make_archive",
    "simulator_version",
]

DEFAULT_SEED = 20220712
_MANIFEST = "practice.json"


def list_programs() -> list[Program]:
    """Give every program that `make_archive` knows, in its order."""
    return list(PROGRAMS.values())


def environment(directory: str | os.PathLike[str]) -> dict[str, str]:
    """Give the environment variables that lead CRDS to a practice archive.

    Parameters
    ----------
    directory
        The archive's folder.

    Returns
    -------
    dict
        An empty value means that the variable must not be set.
    """
    return {
        "CRDS_PATH": str(Path(directory).resolve() / "crds"),
        "CRDS_CONTEXT": crds_context.CODE_DEFAULTS,
        "CRDS_SERVER_URL": "",
    }


@dataclass(frozen=True)
class Archive:
    """A practice archive on disk."""

    directory: Path
    programs: tuple[str, ...]
    seed: int
    made: tuple[Path, ...]
    """The exposures that this call made; those that were there are not made again."""


def make_archive(
    directory: str | os.PathLike[str],
    programs: Iterable[str] | None = None,
    *,
    full_frame: bool = False,
    seed: int | None = None,
    progress: Progress | None = None,
    processes: int | None = None,
) -> Archive:
    """Make practice exposures with their references and truth.

    What is there already is kept, so that a call that was interrupted can be
    repeated and programs can be added later.

    Parameters
    ----------
    directory
        Where; it is made if need be.
    programs
        Names of programs; if not given, all but the full-frame ones and those of single modes.
    full_frame
        Make the full-frame programs as well.
    seed
        Chooses the sky, the detectors and the noise. The same gives the same
        bytes. If not given, the archive's own or `DEFAULT_SEED`.
    progress
        Is told how far it is.
    processes
        How many work side by side; as many as there are processors if not given.
        They import the script that calls this, which therefore must call it
        under ``if __name__ == "__main__"``.

    Returns
    -------
    Archive
        What is there now.

    Raises
    ------
    UsageError
        If a program is unknown, the seed is negative, the archive was made
        with another seed, or ``directory`` is a file.
    OutputError
        If the folder cannot be written.
    """
    folder = Path(directory)
    wanted = _chosen(programs, full_frame=full_frame)
    if seed is not None and seed < 0:
        raise UsageError(f"seed {seed}", "it is negative", "choose a whole number from 0 on")
    if os.path.lexists(folder) and not folder.is_dir():
        raise UsageError(folder, "it is a file", "name a folder, or a place for one")
    before, made_with = _read_manifest(folder)
    if seed is None:
        seed = DEFAULT_SEED if made_with is None else made_with
    if made_with is not None and made_with != seed:
        raise UsageError(
            folder,
            f"it holds a practice archive made with seed {made_with}, not {seed}",
            "leave --seed out, or choose another folder",
        )
    names = tuple(name for name in PROGRAMS if name in {*wanted, *before})
    with output_errors(folder):
        if made_with is None and folder.is_dir() and any(folder.iterdir()):
            raise UsageError(
                folder, "it holds other files and no practice archive", "name a folder of its own"
            )
        folder.mkdir(parents=True, exist_ok=True)
        with _alone_in(folder):
            # Said first: an interrupted call leaves an archive that the next one completes.
            _write_manifest(folder, names, seed)
            for part in ("uncal", "crds", "truth"):
                (folder / part).mkdir(exist_ok=True)
            made = _run(folder, names, seed, progress or Silent(), processes or _processors())
    return Archive(folder, names, seed, made)


@contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    """Keep a second call out of an archive that is being made."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise UsageError(
                folder, "another process is making it", "wait until that is done, then call again"
            ) from error
        yield
    finally:
        os.close(descriptor)


def _processors() -> int:
    return os.cpu_count() or 1


@contextmanager
def _one_thread_each() -> Iterator[None]:
    """Let processes that start in this block do linear algebra in one thread.

    They share the processors already. The libraries read the variables when
    they are loaded, so they must be set before a process starts.
    """
    names = [f"{name}_NUM_THREADS" for name in ("OMP", "OPENBLAS", "MKL")]
    added = [name for name in names if name not in os.environ]
    os.environ.update(dict.fromkeys(added, "1"))
    try:
        yield
    finally:
        for name in added:
            del os.environ[name]


@cache
def simulator_version() -> str:
    """Give what decides an archive's bytes apart from its seed: the release and the source.

    Two of them must not mix in one archive.
    """
    source = hashlib.sha256()
    for file in sorted(Path(__file__).parent.glob("*.py")):
        source.update(file.name.encode() + file.read_bytes())
    return f"{__version__}-{source.hexdigest()[:12]}"


def _chosen(programs: Iterable[str] | None, *, full_frame: bool) -> list[str]:
    if programs is None or not (chosen := list(programs)):
        return [p.name for p in PROGRAMS.values() if p.by_default or (full_frame and p.full_frame)]
    for name in chosen:
        if name not in PROGRAMS:
            raise UsageError(
                name, "there is no such program", f"choose from {', '.join(PROGRAMS)}"
            )
    if full_frame:
        chosen += [p.name for p in PROGRAMS.values() if p.full_frame]
    return chosen


def _read_manifest(folder: Path) -> tuple[list[str], int | None]:
    path = folder / _MANIFEST
    if not path.exists():
        return [], None
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        names, seed = [n for n in content["programs"] if n in PROGRAMS], int(content["seed"])
        version = content["version"]
        if seed < 0:
            raise ValueError(seed)  # noqa: TRY301 - as bad as what int() refuses
    except (OSError, ValueError, OverflowError, KeyError, TypeError) as error:
        raise UsageError(
            path, "it does not describe a practice archive", "remove it or choose another folder"
        ) from error
    if version != simulator_version():
        raise UsageError(
            folder,
            f"it holds a practice archive made by another simulator ({version}), this is "
            f"{simulator_version()}",
            "choose another folder, or remove this one",
        )
    return names, seed


def _write_manifest(folder: Path, names: tuple[str, ...], seed: int) -> None:
    content = {"programs": list(names), "seed": seed, "version": simulator_version()}
    write_text(folder / _MANIFEST, json.dumps(content, indent=2) + "\n")


def _run(
    folder: Path, names: tuple[str, ...], seed: int, progress: Progress, processes: int
) -> tuple[Path, ...]:
    # Here, so that the list of programs is at hand without NumPy.
    from . import tasks
    from .needs import entries
    from .sky import SCENES
    from .truth import write_catalogues

    plans = [plan for name in names for plan in PROGRAMS[name].exposures]
    jobs = tasks.missing(folder, plans, seed)
    progress.start(sum(job.cost for job in jobs) + 1, "references and exposures")
    made = []
    if jobs:
        # Forking a process that has threads can hang it; spawned ones start clean.
        context = multiprocessing.get_context("spawn")
        with (
            _one_thread_each(),
            ProcessPoolExecutor(
                max_workers=min(processes, len(jobs)),
                mp_context=context,
                initializer=tasks.prepare_worker,
            ) as pool,
        ):
            waiting = {pool.submit(tasks.work, job): job for job in jobs}
            try:
                while waiting:
                    done, _ = wait(waiting, return_when=FIRST_COMPLETED)
                    for future in done:
                        job = waiting.pop(future)
                        made += [path for path in future.result() if path.parent.name == "uncal"]
                        progress.advance(job.cost, job.label)
            except BaseException as error:
                progress.finish()
                for worker in list((pool._processes or {}).values()):  # noqa: SLF001 - no public way
                    worker.terminate()
                pool.shutdown(cancel_futures=True)
                if isinstance(error, BrokenProcessPool):
                    raise UprampError(
                        folder,
                        "a process that worked on it died: it was killed, ran out of memory, or a "
                        'script does not guard its work by `if __name__ == "__main__":`',
                        "mend that and call again: what is finished is kept",
                    ) from error
                raise
    write_catalogues(folder / "truth", {name: make(seed) for name, make in SCENES.items()})
    crds_context.write_context(folder / "crds", entries(plans))
    progress.advance(1)
    progress.finish()
    return tuple(sorted(made))
