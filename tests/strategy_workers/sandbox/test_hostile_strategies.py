"""Strategies that mean harm, or do it: each is reported, and nothing else comes to pass."""

import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from strategy_workers.runtime.deployment import HookError
from strategy_workers.sandbox import frames
from tests.strategy_workers.sandbox.conftest import Trading

Trade = Callable[..., Trading]

#: Each line must raise: what it does is none of a strategy's business.
_FORBIDDEN = """
    open("/etc/passwd").read()
    open("/proc/self/environ").read()
    open(f"/proc/{os.getppid()}/environ").read()
    open(os.path.join(ROOT, ".env.example")).read()
    os.listdir("/")
    os.listdir("/root")
    open("/tmp/harm", "w")
    open("/dev/shm/harm", "w")
    os.mkdir("/tmp/harm")
    os.unlink("/tmp/harm")
    socket.socket()
    socket.socketpair()
    socket.create_connection(("127.0.0.1", 22), 1)
    os.fork()
    os.execv("/bin/true", ["true"])
    subprocess.run(["/bin/true"])
    threading.Thread(target=print).start()
    os.kill(os.getppid(), 9)
    os.kill(os.getpid(), 9)
    os.killpg(0, 9)
    resource.setrlimit(resource.RLIMIT_CPU, (resource.RLIM_INFINITY,) * 2)
    signal.signal(signal.SIGXCPU, signal.SIG_IGN)
    os.setuid(0)
    os.chmod("/tmp", 0o777)
    os.symlink("/etc", "/tmp/harm")
    os.pipe()
    call("ptrace", 101)
    call("mount", 165)
    call("io_uring_setup", 425)
    call("process_vm_readv", 310)
    call("memfd_create", 319)
    call("unshare", 272)
    call("bpf", 321)
"""


def test_files_network_processes_and_the_kernel_are_out_of_reach(trading: Trade) -> None:
    tried = [line.strip() for line in _FORBIDDEN.strip().splitlines()]
    hooks = f"""
def on_candle(self, candle):
    import ctypes, os, resource, signal, socket, subprocess, threading
    import strategy_workers
    ROOT = os.path.dirname(os.path.dirname(strategy_workers.__file__))
    def call(name, number):
        ctypes.set_errno(0)
        if ctypes.CDLL(None, use_errno=True).syscall(number, 0, 0, 0, 0, 0) >= 0:
            return
        if ctypes.get_errno() != 1:
            return
        raise PermissionError(name)
    for line in {tried!r}:
        try:
            exec(line)
        except (OSError, RuntimeError, ValueError):
            self.log.info("refused")
        else:
            self.log.error(line)
    self.log.info(str(sorted(os.environ)))
"""
    play = trading(hooks)
    play.hear(100)
    *refusals, environment = play.lines
    assert [line for line in refusals if line != "refused"] == []
    assert len(refusals) == len(tried)
    assert environment == "['LC_ALL', 'OMP_NUM_THREADS', 'OPENBLAS_NUM_THREADS']"


@pytest.mark.parametrize(
    "body",
    ["while True: pass", "import time; time.sleep(9)", "import re; re.match('(a+)+b', 'a' * 64)"],
)
def test_a_hook_that_does_not_return_ends_its_process_alone(trading: Trade, body: str) -> None:
    play = trading(f"def on_candle(self, candle):\n    {body}", hook_timeout_s=0.4)
    with pytest.raises(HookError, match=r"on_candle didn't return within 0\.4 s: its process was"):
        play.hear(100)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("import os; os._exit(0)", "process ended in on_candle, with code 0"),
        ("import ctypes; ctypes.string_at(0)", "process ended in on_candle, by SIGSEGV"),
    ],
)
def test_how_a_process_ended_is_told(trading: Trade, body: str, said: str) -> None:
    play = trading(f"def on_candle(self, candle):\n    {body}")
    with pytest.raises(HookError, match=said):
        play.hear(100)


_SELF_MADE = [
    ("[bytearray(1 << 26) for _ in range(1 << 20)]", "MemoryError"),
    ("raise SystemExit(3)", "SystemExit: 3"),
    ("(lambda f: f(f))(lambda f: f(f))", "RecursionError"),
    ("for _ in range(10**6): self.buy('SPY', 1)", "100 orders, cancels and timers, not more"),
    ("self.state['all'] = {1, 2}", "set, which JSON can't hold"),
    ("self.state['all'] = 'x' * (5 << 20)", "bytes; 4,194,304 may be"),
    ("self.buy('QQQ', 1)", "QQQ is not a symbol of this deployment"),
]


def test_what_a_hook_does_to_itself_is_told_and_sends_nothing(trading: Trade) -> None:
    bodies = [body for body, _ in _SELF_MADE]
    play = trading(
        "def on_candle(self, candle):\n"
        "    self.state = {}\n"
        f"    exec({bodies!r}[int(candle.close)])"
    )
    for number, (_, said) in enumerate(_SELF_MADE):
        with pytest.raises(HookError, match=said) as told:
            play.hear(number)
        assert "sandbox/stage.py" not in str(told.value)
    assert play.deployment.outbox == []


def test_a_flood_of_log_lines_is_cut_and_counted(trading: Trade) -> None:
    play = trading("def on_candle(self, candle):\n    for _ in range(10**4): self.log.info('x')")
    play.hear(100)
    assert len(play.lines) == frames.MOST_NOTES
    assert play.lines[-1] == "lines_left_out"


_FORGE = """
def on_candle(self, candle):
    import os, sys
    from strategy_workers.sandbox import frames
    from strategy_workers.sdk.orders import ticket
    os.write(int(sys.argv[2]), {})
"""
_IDLE = "def on_candle(self, candle): pass\n"


@pytest.mark.parametrize(
    ("forged", "said"),
    [
        ("b'\\xff\\xff\\xff\\xff'", "said 4,294,967,295 bytes at once"),
        ("b'\\x03\\x00\\x00\\x00abc'", "said what makes no sense"),
        ("frames.packed(frames.Indicators([]))", "answered on_candle with something else"),
        (
            "frames.packed(frames.Done([frames.SendOrder('other-1', ticket('SPY', 'buy', 1))],"
            "None))",
            "calls an order other-1 that is 0{31}7-1-0-1",
        ),
        (
            "frames.packed(frames.Done([frames.SendOrder('x', ticket('SPY', 'buy', 1)"
            "._replace(qty=__import__('decimal').Decimal('NaN')))], None))",
            "NaN is not a number to trade with|makes no sense",
        ),
        ("frames.packed(frames.Done([frames.CallOff('x')] * 101, None))", "asked for 101 things"),
    ],
)
def test_forged_answers_are_not_believed(trading: Trade, forged: str, said: str) -> None:
    play = trading(_FORGE.format(forged))
    with pytest.raises(HookError, match=said):
        play.hear(100)


def test_shares_that_it_says_it_holds_can_not_be_sold(trading: Trade) -> None:
    play = trading(
        "def on_candle(self, candle):\n"
        "    from decimal import Decimal\n"
        "    from strategy_workers.runtime.holdings import Holding\n"
        "    self._on.portfolio.own['SPY'] = Holding(Decimal(9), Decimal(1))\n"
        "    self.sell('SPY', 9)"
    )
    assert play.hear(100) == []
    assert play.deployment.held_back == 1


@pytest.mark.parametrize(
    ("started", "said"),
    [
        ("1, [], ['1h'] * 500_000, []", "makes no sense: Expected `array` of length <= 9"),
        ("1, [], ['1h', '1h'], []", "named a forming candle twice"),
        (
            "1, [frames.Indicator('', '1m', None)] * 501, [], []",
            "makes no sense: Expected `array` of length <= 500",
        ),
        ("1, [frames.Indicator('', '1h', None)], [], []", "has indicators of 1h"),
    ],
)
def test_a_start_that_would_never_be_worked_through_is_not_begun(
    trading: Trade, started: str, said: str
) -> None:
    forge = _FORGE.replace("on_candle(self, candle)", "on_start(self)") + _IDLE
    with pytest.raises(HookError, match=said):
        trading(forge.format(f"frames.packed(frames.Started({started}))"))


def test_lists_in_answers_are_bounded_before_they_are_read() -> None:
    shape = frames.ParameterShape("size", "int", 1, "", choices=["x"] * (frames.MOST_CHOICES + 1))
    for answer in (
        frames.Indicators([{}] * (frames.MOST_INDICATORS + 1)),
        frames.Loaded(frames.Manifest("a", "", "", ["1m"] * 10, [], [])),
        frames.Loaded(frames.Manifest("a", "", "", [], [], [shape])),
        frames.Started(1, [frames.Indicator("x" * 2001, "1m", None)], [], []),
    ):
        with pytest.raises(msgspec.ValidationError, match="of length <= "):
            frames.read_reply(frames.packed(answer)[frames.HEAD_BYTES :])


def test_an_author_is_told_of_too_many_indicators(trading: Trade) -> None:
    hooks = "def on_start(self):\n    for _ in range(501): self.indicator(SMA, 5)\n" + _IDLE
    with pytest.raises(HookError, match="can declare 500 indicators, not 501"):
        trading(hooks)


def test_state_nested_beyond_measure_ends_the_process(trading: Trade) -> None:
    deep = "b'\\x81\\xa1a' * 100_000 + b'\\xc0'"
    body = f"b'\\x83\\xa4type\\xa4Done\\xa7actions\\x90\\xa5state' + {deep}"
    play = trading(_FORGE.format(f"len({body}).to_bytes(4, 'little') + {body}"))
    with pytest.raises(HookError, match="said what makes no sense"):
        play.hear(100)


def test_timers_that_have_been_due_do_not_count(trading: Trade) -> None:
    play = trading(
        "def on_candle(self, candle):\n"
        "    for n in range(99): self.call_at(f'{candle.close}-{n}', self.now)"
    )
    play.hear(*range(1, 15))
    assert play.deployment.desk.timers.state() == {}


_NAMES_ITSELF = "def on_candle(self, candle):\n    import os; self.log.info(str(os.getpid()))"


def test_the_kernel_ends_a_process_that_works_on_between_its_hooks(trading: Trade) -> None:
    play = trading(_NAMES_ITSELF)
    play.hear(100, 101)
    seconds, _ = resource.prlimit(int(play.lines[-1]), resource.RLIMIT_CPU)
    assert 0 < seconds < 60


_WORKER = """
from strategy_workers.sandbox.process import Limits, StrategyProcess
process = StrategyProcess(Limits())
print(process.pid, flush=True)
process.load({"strategy.py": b"import time; time.sleep(600)"})
"""


@pytest.mark.usefixtures("_confinable")
def test_when_a_worker_is_killed_its_strategies_end_with_it() -> None:
    with subprocess.Popen([sys.executable, "-c", _WORKER], stdout=subprocess.PIPE) as worker:
        assert worker.stdout is not None
        stat = Path(f"/proc/{int(worker.stdout.readline())}/stat")
        _until(lambda: " S " in stat.read_text())  # it sleeps, out of reach of an end of file
        worker.kill()
    _until(lambda: not stat.exists() or " Z " in stat.read_text())


def _until(holds: Callable[[], bool]) -> None:
    ends_at = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < ends_at
        time.sleep(0.01)


def test_a_process_that_is_killed_or_let_go_leaves_nothing_behind(trading: Trade) -> None:
    play = trading(_NAMES_ITSELF)
    play.hear(100)
    pid = int(play.lines[-1])
    os.kill(pid, signal.SIGKILL)
    with pytest.raises(HookError, match="process ended in on_candle, by SIGKILL"):
        play.hear(101)
    assert not os.path.exists(f"/proc/{pid}")

    play = trading(_NAMES_ITSELF)
    play.hear(100)
    pid = int(play.lines[-1])
    del play
    _until(lambda: not os.path.exists(f"/proc/{pid}"))
