import os
import re
import resource
import subprocess
import sys

from bench.measuring import report
from bench.servers import servers
from cli.embedded.servers import postgres_programs

_CLIENTS = 8
_TABLE = "CREATE TABLE rows (id bigserial PRIMARY KEY, body text NOT NULL)"
_INSERT = f"INSERT INTO rows (body) VALUES ('{'x' * 200}');\n"


def main(rows: int) -> None:
    with servers() as running:
        script = running.folder / "insert.sql"
        script.write_text(_INSERT)
        environment = os.environ | {"PGPASSWORD": running.postgres.password}
        where = ["-h", "127.0.0.1", "-p", str(running.postgres.port), "-U", "postgres"]

        def program(name: str, *arguments: str) -> str:
            return subprocess.run(
                [str(postgres_programs() / "bin" / name), *where, *arguments, "trading"],
                env=environment,
                capture_output=True,
                text=True,
                check=True,
            ).stdout

        program("psql", "-q", "-c", _TABLE)
        load = ["-n", "-c", str(_CLIENTS), "-j", "1", "-M", "prepared", "-f", str(script)]
        program("pgbench", *load, "-t", "50")
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        printed = program("pgbench", *load, "-t", str(rows // _CLIENTS))
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        found = re.search(r"^tps = ([0-9.]+)", printed, re.MULTILINE)
        if found is None or "number of failed transactions: 0 " not in printed:
            raise RuntimeError(f"pgbench did not finish:\n{printed}")
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    done = rows // _CLIENTS * _CLIENTS
    report(done, done / float(found[1]), cpu_s, {"committed": done})


if __name__ == "__main__":
    main(int(sys.argv[1]))
