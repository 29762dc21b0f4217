"""Other software to compare with, each in an environment of its own under `bench/.peers`."""

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

PEERS_FOLDER = Path(__file__).parent / ".peers"


@dataclass(frozen=True)
class Peer:
    name: str
    #: Pinned, such as `nautilus_trader==1.221.0`.
    requirements: tuple[str, ...]

    @property
    def python(self) -> Path:
        return PEERS_FOLDER / self.name / "bin" / "python"

    def install(self) -> None:
        """Make the environment, unless it has these requirements already."""
        folder = PEERS_FOLDER / self.name
        installed = folder / "installed.txt"
        wanted = "\n".join(self.requirements)
        if installed.exists() and installed.read_text() == wanted:
            return
        uv = Path(sys.executable).parent / "uv"
        version = f"{sys.version_info.major}.{sys.version_info.minor}"
        _run([str(uv), "venv", "--quiet", "--clear", "--python", version, str(folder)])
        _run(
            [
                *(str(uv), "pip", "install", "--quiet", "--python", str(self.python)),
                *self.requirements,
            ]
        )
        # Last, so that an installation that was cut short is done again.
        installed.write_text(wanted)


NAUTILUS = Peer("nautilus", ("nautilus_trader==1.221.0", "pandas==2.3.3"))
TALIB = Peer("talib", ("ta-lib==0.8.2", "numpy==2.4.6"))
TALIPP = Peer("talipp", ("talipp==2.7.0",))


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} failed:\n{done.stderr[-3000:]}")
