"""What a user's server is before it is one: root gives up its rights here, and all it may see.

The hub starts this file with an interpreter that loads nothing of a user's
(``-I -S``), instead of forking itself into another user: a hub has threads,
and whatever goes wrong between fork and exec of such a process leaves no
sentence behind. It takes one argument, a plan in JSON, and becomes the
server: process number and start time stay the same.

Standard library only, and nothing of this package: it runs as root.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import json
import os
import re
import resource
import signal
import socket
import stat
import sys
from pathlib import Path
from typing import Any, Final, NoReturn

PREFIX: Final = "upramp-hub: "
"""How a line of the server's log begins that says why it never came to be."""

_TEMPORARY: Final = ("/tmp", "/var/tmp")  # noqa: S108 - replaced
"""Folders for everybody of which each server has its own, on a disk."""

_FOR_EVER: Final = "2147483647"
"""Seconds."""

_LITTLE: Final = 64 << 20
"""Bytes of such a folder where it has to be in memory: what is large goes to TMPDIR."""

_SHARED_MEMORY: Final = "/dev/shm"  # noqa: S108 - replaced
"""The same in memory."""

_PROCESSES: Final = 1024
_PER_CORE: Final = 128
"""Processes and threads that a user may run, and those more for each core, as libraries of
numbers start threads for each: beyond that it is a mistake, or an attack on all others."""

NOT_POSSIBLE: Final = 77
"""Exit code if this machine does not let even root hide folders."""

BAD_SETUP: Final = 78
"""Exit code if something about the machine has to be put right first."""

_CLONE_NEWNS: Final = 0x00020000
_MS_RDONLY: Final = 1
_MS_NOSUID: Final = 2
_MS_NODEV: Final = 4
_MS_NOEXEC: Final = 8
_MS_REMOUNT: Final = 32
_MS_BIND: Final = 4096
_MS_REC: Final = 16384
_MS_SLAVE: Final = 1 << 19
_PR_SET_NO_NEW_PRIVS: Final = 38


def main(plan: dict[str, Any]) -> NoReturn:
    """Become the server of a plan.

    Parameters
    ----------
    plan
        ``command``, ``home``, ``memory`` (bytes, 0 for no limit), ``nice``,
        ``cgroups`` (folders to join), ``make`` (folders to make as the user) and,
        if this process is root, ``uid``, ``address`` and ``port`` (to keep for the
        user as long as its processes are not cleared away), ``temporary`` (a folder to
        be /tmp), ``shared`` (bytes of shared memory), ``private`` (whether to hide folders),
        ``folders`` (pairs of a path that the server needs and whether it may
        write there) and ``passwd`` (a file to put over the system's, or nothing).
    """
    os.umask(0o077)
    for folder in plan["cgroups"]:
        with contextlib.suppress(OSError):
            Path(folder, "cgroup.procs").write_text(str(os.getpid()), encoding="ascii")
    if plan["nice"]:
        with contextlib.suppress(OSError):
            os.nice(plan["nice"])
    # The hub may be spared when memory runs out; what users run is not to be.
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("0", encoding="ascii")
    uid = plan.get("uid")
    if uid is not None:
        _require_reachable(plan) if not plan["private"] else _hide(plan)
    _limit(plan["memory"])
    if uid is not None:
        # Only of who has a number of their own: a person's other programs would count too.
        _limit_processes()
        os.setgroups([])
        os.setgid(uid)
        os.setuid(uid)
        _prctl(_PR_SET_NO_NEW_PRIVS)
        _keep_port(plan["address"], plan["port"])
    try:
        os.chdir(plan["home"])
    except OSError as error:
        _fail(f"{plan['home']}: the home cannot be entered ({error.strerror})")
    for folder in plan["make"]:
        with contextlib.suppress(OSError):  # it starts without, and says so where it matters
            Path(folder).mkdir(exist_ok=True, mode=0o700)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    command = plan["command"]
    try:
        os.execv(command[0], command)  # noqa: S606 - no shell, and the hub's own command
    except OSError as error:
        _fail(f"{command[0]}: it cannot be run by this user ({error.strerror})")


def _limit(memory: int) -> None:
    """Make an allocation that is too large fail, where the process can still say so."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if memory:
        hard = resource.getrlimit(resource.RLIMIT_DATA)[1]
        if hard != resource.RLIM_INFINITY:
            memory = min(memory, hard)
        resource.setrlimit(resource.RLIMIT_DATA, (memory, memory))


def _limit_processes() -> None:
    wanted = _PROCESSES + _PER_CORE * (os.cpu_count() or 1)
    hard = resource.getrlimit(resource.RLIMIT_NPROC)[1]
    most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    resource.setrlimit(resource.RLIMIT_NPROC, (most, most))


def _keep_port(address: str, port: int) -> None:
    """Leave a process behind that keeps the server's port for its user, whatever else dies.

    The hub keeps it too, but may be down when the server ends. It is cleared away with all
    that the server started, when the hub knows that it has ended.
    """
    if not port or os.fork():
        return
    with contextlib.suppress(OSError):
        kept = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
        kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        kept.bind((address, port))
        os.closerange(kept.fileno() + 1, 4096)
        os.setsid()
        null = os.open(os.devnull, os.O_RDWR)
        for number in range(3):
            os.dup2(null, number)
        kept.set_inheritable(True)
        # The smallest program there is to hold it, and not taken for the server.
        for program in ("/usr/bin/sleep", "/bin/sleep"):
            if Path(program).exists():
                os.execv(program, ["upramp-hub-keeps-a-port", _FOR_EVER])  # noqa: S606
        while True:
            signal.pause()
    os._exit(0)


def closed_at(path: str, uid: int) -> str | None:
    """Give the first folder on the way to a path that a user may not pass, if there is one.

    Parameters
    ----------
    path
        Absolute, without symbolic links.
    uid
        The user, who is in no group.
    """
    for folder in [*reversed(Path(path).parents), Path(path)]:
        status = folder.stat()
        passes = stat.S_IXUSR if status.st_uid == uid else stat.S_IXOTH
        if stat.S_ISDIR(status.st_mode) and not status.st_mode & passes:
            return str(folder)
    return None


def _require_reachable(plan: dict[str, Any]) -> None:
    for path, _ in plan["folders"]:
        at = closed_at(os.path.realpath(path), plan["uid"])
        if at is not None:
            _fail(
                f"{path}: users' servers cannot reach it, because they may not pass {at}, and "
                f"this machine does not let the hub show it to them otherwise; "
                f"allow it with 'chmod o+x {at}', or put it into a folder that is open to all"
            )


# ---- what the server may see ----------------------------------------------------------------


def _hide(plan: dict[str, Any]) -> None:
    """Show only what is needed of the folders that are closed to the user, in mounts of its own.

    The interpreter may lie in root's home, and users' homes in the hub's
    private folder: each such folder is replaced, for this process alone, by an
    empty one in which only the needed ones are found again. So are the folders
    where everybody may write, and leave something for others to find.
    """
    if _libc().unshare(_CLONE_NEWNS) != 0:
        _not_possible()
    _mount("none", "/", flags=_MS_REC | _MS_SLAVE)
    # The deeper ones are mounted into the ones above them, so these come first.
    needed = sorted(
        {os.path.realpath(path): bool(writes) for path, writes in plan["folders"]}.items(),
        key=lambda item: item[0].count("/"),
    )
    # A descriptor finds its folder also once the way to it is hidden.
    held = {path: os.open(path, os.O_PATH) for path, _ in needed}
    passwd = os.open(plan["passwd"], os.O_PATH) if plan["passwd"] else -1
    _replace_for_everybody(plan, held)
    for path, _ in needed:
        while (at := closed_at(path, plan["uid"])) is not None:
            if at == path:
                _fail(
                    f"{path}: users' servers cannot use it, because others may not enter it; "
                    f"allow it with 'chmod -R o+rX {path}'"
                )
            _replace(at, held, "mode=0755")
    for path, writes in needed:
        if not writes:
            _mount(path, path, flags=_MS_BIND | _MS_REC)
            flags = _MS_BIND | _MS_REMOUNT | _MS_RDONLY | _MS_NOSUID | _MS_NODEV
            for mounted in _mounts_in(path):
                _mount("none", mounted, flags=flags)
    for descriptor in held.values():
        os.close(descriptor)
    _hide_others(passwd)


def _replace_for_everybody(plan: dict[str, Any], held: dict[str, int]) -> None:
    """Give the server folders of its own where everybody may write."""
    for folder in (*_TEMPORARY, _SHARED_MEMORY):
        if os.path.realpath(folder) != folder or folder in held or not Path(folder).is_dir():
            continue
        within = any(Path(folder) in Path(path).parents for path in held)
        if folder == _SHARED_MEMORY or within:
            # What is needed lies in it, and its place is not to be made in a user's folder.
            size = plan["shared"] if folder == _SHARED_MEMORY else _LITTLE
            _replace(folder, held, f"mode=1777,size={size}")
        else:
            _mount(plan["temporary"], folder, flags=_MS_BIND)


def _mounts_in(path: str) -> list[str]:
    """Give a folder that is mounted, and what is mounted in it."""
    found = [path]
    for line in Path("/proc/self/mountinfo").read_text("utf-8", "surrogateescape").splitlines():
        # Blanks and the like are written as octal numbers there.
        place = re.sub(r"\\([0-7]{3})", lambda m: chr(int(m[1], 8)), line.split(" ")[4])
        if Path(path) in Path(place).parents:
            found.append(place)
    return list(dict.fromkeys(found))


def _replace(folder: str, held: dict[str, int], options: str) -> None:
    """Put an empty folder over one, in which only what is needed is found again."""
    _mount("none", folder, kind="tmpfs", flags=_MS_NOSUID | _MS_NODEV, data=options)
    for inner, descriptor in held.items():
        if Path(folder) in Path(inner).parents:
            _show(inner, descriptor)


def _hide_others(passwd: int) -> None:
    """Hide other users' processes, and give this one a name: good to have, where it is allowed."""
    if passwd >= 0:
        with contextlib.suppress(OSError):
            _mount(f"/proc/self/fd/{passwd}", "/etc/passwd", flags=_MS_BIND)
        os.close(passwd)
    with contextlib.suppress(OSError):
        _mount(
            "proc",
            "/proc",
            kind="proc",
            flags=_MS_NOSUID | _MS_NODEV | _MS_NOEXEC,
            data="hidepid=2",
        )


def _show(path: str, descriptor: int) -> None:
    if stat.S_ISDIR(os.fstat(descriptor).st_mode):
        Path(path).mkdir(parents=True, exist_ok=True, mode=0o755)
    else:
        Path(path).parent.mkdir(parents=True, exist_ok=True, mode=0o755)
        Path(path).touch()
    _mount(f"/proc/self/fd/{descriptor}", path, flags=_MS_BIND | _MS_REC)
    # mkdir is subject to the umask: the way there has to be open.
    for folder in Path(path).parents:
        if os.path.ismount(folder):
            break
        folder.chmod(0o755)


def _mount(source: str, target: str, kind: str = "none", flags: int = 0, data: str = "") -> None:
    arguments = (source.encode(), target.encode(), kind.encode(), flags, data.encode())
    if _libc().mount(*arguments) != 0:
        number = ctypes.get_errno()
        if number == errno.EPERM and target != "/proc":
            _not_possible()
        raise OSError(number, os.strerror(number), target)


def _libc() -> ctypes.CDLL:
    libc = ctypes.CDLL(None, use_errno=True)
    libc.mount.argtypes = [
        *(ctypes.c_char_p, ctypes.c_char_p, ctypes.c_char_p),
        *(ctypes.c_ulong, ctypes.c_char_p),
    ]
    return libc


def _prctl(option: int) -> None:
    with contextlib.suppress(AttributeError):  # another system than Linux
        _libc().prctl(option, 1, 0, 0, 0)


def _not_possible() -> NoReturn:
    sys.stderr.write(f"{PREFIX}this machine does not let the hub hide folders from a server\n")
    sys.exit(NOT_POSSIBLE)


def _fail(sentence: str) -> NoReturn:
    sys.stderr.write(f"{PREFIX}{sentence}.\n")
    sys.exit(BAD_SETUP)


if __name__ == "__main__":
    try:
        main(json.loads(sys.argv[1]))
    except OSError as failure:
        _fail(f"the server could not be prepared ({failure})")
