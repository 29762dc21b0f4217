"""What a process with somebody else's code in it may do: compute, and answer on one socket.

Linux on x86-64. Once confined, there is no way back:

- resource limits: memory, open files, no files written, no core dumps
- it ends when its parent does, whatever it is at
- no new privileges; where the kernel lets us, user, network and IPC namespaces of its own
- Landlock: Python's and our own code can be read, and nothing else of the file system
- seccomp: system calls are a short list. No sockets, processes, threads, signals; nothing can be
  executed. Any other call fails with EPERM

Seccomp is what can't be done without. Without Landlock no file can be opened at all any more: what
hasn't been imported yet can't be. Only the standard library is used here.
"""

import ctypes
import errno
import os
import platform
import resource
import signal
import struct
from collections.abc import Iterable

_libc = ctypes.CDLL(None, use_errno=True)

_PR_SET_NO_NEW_PRIVS = 38
_PR_SET_DUMPABLE = 4
_PR_SET_PDEATHSIG = 1
_CLONE_NEWUSER, _CLONE_NEWNET, _CLONE_NEWIPC = 0x10000000, 0x40000000, 0x08000000

# https://docs.kernel.org/userspace-api/landlock.html
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_RULESET_VERSION = 1
_RULE_PATH_BENEATH = 1
_READ_FILE, _READ_DIR = 1 << 2, 1 << 3
#: By version of the interface: all rights over files that it knows.
_FILE_RIGHTS = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1, 5: (1 << 16) - 1}
_NET_RIGHTS = 0b11  # bind and connect, from version 4

# https://docs.kernel.org/userspace-api/seccomp_filter.html
_SECCOMP = 317
_SET_MODE_FILTER = 1
_ARCH_X86_64 = 0xC000003E
_X32_BIT = 0x40000000
_ALLOW, _KILL, _REFUSE = 0x7FFF0000, 0x80000000, 0x00050000 | errno.EPERM
_LOAD, _EQUAL, _AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06

#: x86-64 numbers. In the order of use: the filter looks at one after another.
_ALLOWED = {
    "read": 0, "write": 1, "futex": 202, "mmap": 9, "munmap": 11, "brk": 12, "madvise": 28,
    "mremap": 25, "mprotect": 10, "clock_gettime": 228, "gettimeofday": 96, "getrandom": 318,
    "close": 3, "fstat": 5, "lseek": 8, "pread64": 17, "newfstatat": 262, "stat": 4, "lstat": 6,
    "statx": 332, "getdents64": 217, "readlink": 89, "readlinkat": 267, "access": 21,
    "faccessat": 269, "faccessat2": 439, "getcwd": 79, "fcntl": 72, "dup": 32,
    "clock_nanosleep": 230, "nanosleep": 35, "clock_getres": 229, "time": 201,
    "select": 23, "poll": 7, "pselect6": 270, "ppoll": 271, "sched_yield": 24,
    "getpid": 39, "gettid": 186, "getuid": 102, "geteuid": 107, "getgid": 104, "getegid": 108,
    "getppid": 110, "uname": 63, "sysinfo": 99, "getrusage": 98, "times": 100, "getcpu": 309,
    "sched_getaffinity": 204, "getrlimit": 97, "sigaltstack": 131, "rt_sigreturn": 15,
    "restart_syscall": 219, "membarrier": 324, "exit": 60, "exit_group": 231,
}  # fmt: skip
_OPENS = {"openat": 257, "open": 2}


class CantConfineError(Exception):
    """This machine lacks what a confined process needs. The message says what."""


def confine(readable: Iterable[str], memory_mib: int) -> None:
    """Bind this process; for it alone, before it has read anything that it must not trust.

    Raises CantConfineError, and is as good as done for then.
    """
    if platform.system() != "Linux" or platform.machine() != "x86_64":
        raise CantConfineError("strategies can be confined on Linux on x86-64 only")
    limit_resources(memory_mib)
    _libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
    if _libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
        raise CantConfineError("the kernel doesn't know no_new_privs")
    # Where containers forbid it, the list of system calls still has no sockets.
    _libc.unshare(_CLONE_NEWUSER | _CLONE_NEWNET | _CLONE_NEWIPC)
    # Of the thread that started it: one that lives as long as what it started this for.
    _libc.prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
    may_open = _see_only(readable)
    _call_only([*_ALLOWED.values(), *(_OPENS.values() if may_open else ())])


def limit_resources(memory_mib: int) -> None:
    """The part that every Unix has."""
    memory = memory_mib * 1024 * 1024
    for what, limit in (
        (resource.RLIMIT_AS, memory),
        (resource.RLIMIT_NOFILE, 64),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(what, (limit, limit))


def _see_only(readable: Iterable[str]) -> bool:
    """By Landlock; False where the kernel hasn't got it."""
    version = _libc.syscall(_CREATE_RULESET, None, 0, _RULESET_VERSION)
    if version < 1:
        return False
    rights = _FILE_RIGHTS[max(known for known in _FILE_RIGHTS if known <= version)]
    body = struct.pack("QQ", rights, _NET_RIGHTS) if version >= 4 else struct.pack("Q", rights)
    ruleset = _libc.syscall(_CREATE_RULESET, body, len(body), 0)
    if ruleset < 0:
        return False
    for path in readable:
        if not os.path.exists(path):
            continue
        place = os.open(path, os.O_PATH | os.O_CLOEXEC)
        allowed = _READ_FILE | (_READ_DIR if os.path.isdir(path) else 0)
        rule = struct.pack("=Qi", allowed, place)
        added = _libc.syscall(_ADD_RULE, ruleset, _RULE_PATH_BENEATH, rule, 0)
        os.close(place)
        if added != 0:
            raise CantConfineError(f"Landlock refuses a rule for {path}: {_reason()}")
    if _libc.syscall(_RESTRICT_SELF, ruleset, 0) != 0:
        raise CantConfineError(f"Landlock can't be entered: {_reason()}")
    os.close(ruleset)
    return True


def _call_only(allowed: Iterable[int]) -> None:
    program = [
        _step(_LOAD, 4),  # the architecture
        _step(_EQUAL, _ARCH_X86_64, 1, 0),
        _step(_RETURN, _KILL),
        _step(_LOAD, 0),  # the call's number
        _step(_AT_LEAST, _X32_BIT, 0, 1),
        _step(_RETURN, _KILL),
    ]
    for number in allowed:
        program += [_step(_EQUAL, number, 0, 1), _step(_RETURN, _ALLOW)]
    program.append(_step(_RETURN, _REFUSE))
    code = ctypes.create_string_buffer(b"".join(program))
    header = struct.pack("HxxxxxxQ", len(program), ctypes.addressof(code))
    if _libc.syscall(_SECCOMP, _SET_MODE_FILTER, 0, header) != 0:
        raise CantConfineError(f"the kernel takes no seccomp filter: {_reason()}")


def _step(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("HBBI", code, if_true, if_false, value)


def _reason() -> str:
    return os.strerror(ctypes.get_errno())
