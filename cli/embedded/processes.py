"""Child processes that can't outlive their parent."""

import ctypes
import os
import pwd
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)


def start_child(
    command: Sequence[str],
    *,
    log: Path,
    on_parent_death: signal.Signals,
    environment: Mapping[str, str] | None = None,
    user: pwd.struct_passwd | None = None,
    inherit: Sequence[int] = (),
    folder: Path | None = None,
) -> subprocess.Popen[bytes]:
    """Start `command` in a session of its own, as `user` if given, its output appended to `log`.

    File descriptors in `inherit` stay open in the child; `folder` is where it starts.
    The kernel sends `on_parent_death` when the *thread* that forked ends, so call this from
    the main thread: https://man7.org/linux/man-pages/man2/PR_SET_PDEATHSIG.2const.html
    """
    parent = os.getpid()

    def prepare() -> None:
        if user is not None:  # before the prctl: a change of user clears the death signal
            os.setgroups([])
            os.setgid(user.pw_gid)
            os.setuid(user.pw_uid)
        end_with_parent(on_parent_death, parent)

    with log.open("ab") as output:
        return subprocess.Popen(  # noqa: S603 - the command is ours
            list(command),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=None if environment is None else dict(environment),
            start_new_session=True,
            preexec_fn=prepare,
            pass_fds=inherit,
            cwd=folder,
        )


def end_with_parent(how: signal.Signals, parent: int | None = None) -> None:
    """From now on the kernel sends this process `how` when its parent ends."""
    expected = os.getppid() if parent is None else parent
    _libc.prctl(_PR_SET_PDEATHSIG, int(how))
    if os.getppid() != expected:  # it died before the prctl
        os._exit(1)


def stop_child(process: subprocess.Popen[bytes], how: signal.Signals, timeout_s: float) -> None:
    """Ask a child to end; kill it when it has not within `timeout_s`."""
    if process.poll() is not None:
        return
    process.send_signal(how)
    try:
        process.wait(timeout_s)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
