"""A file system of a few megabytes that one child process sees, without any rights: a namespace of its own (Linux)."""

import ctypes
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

_CLONE_NEWNS, _CLONE_NEWUSER = 0x0002_0000, 0x1000_0000
_PR_SET_DUMPABLE = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class SmallDisk:
    """Where it is mounted (a directory that exists, for the child alone), and how large it is."""

    at: Path
    megabytes: int


def mounting(disk: SmallDisk) -> Callable[[], None]:
    """Return what a child runs before its program: a user and a mount namespace of its own, the disk mounted there.

    The child stays the user that it is. It raises OSError where the kernel does not let users do that.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    target, options = os.fsencode(disk.at), f"size={disk.megabytes}m,mode=0700".encode()

    def check(answer: int) -> None:
        if answer:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))

    def mount() -> None:
        user, group = os.getuid(), os.getgid()
        libc.prctl(_PR_SET_DUMPABLE, 1, 0, 0, 0)  # after giving up root a process may not write its own maps otherwise
        check(libc.unshare(_CLONE_NEWUSER | _CLONE_NEWNS))
        maps = {"setgroups": b"deny", "uid_map": b"%d %d 1" % (user, user), "gid_map": b"%d %d 1" % (group, group)}
        for name, content in maps.items():
            file = os.open(f"/proc/self/{name}", os.O_WRONLY)  # Python's own files may be closed to this user
            os.write(file, content)
            os.close(file)
        check(libc.mount(b"tmpfs", target, b"tmpfs", 0, options))

    return mount


def what_forbids_it(at: Path) -> str | None:
    """Return why no child can have a small disk at *at* here, None when it can."""
    if sys.platform != "linux":
        return "a small disk needs Linux"
    try:
        subprocess.run(["true"], check=True, preexec_fn=mounting(SmallDisk(at=at, megabytes=1)))
    except (OSError, subprocess.SubprocessError) as error:
        return f"the kernel lets users mount nothing in namespaces of their own ({error})"
    return None
