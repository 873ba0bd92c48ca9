"""Times what can be done to an upgrade image's layer: gzip, none, zstd.

    python benchmarks/compression.py FILE

FILE is what the layer holds, a kubeos.tar say. For each: writing the archive, loading it into
Docker, pushing it to a registry on this machine. kbimg itself writes gzip; the others are put in
its place here.
"""

from __future__ import annotations

import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Callable

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))
import engines

from kbimg_tasks.tools import container_archive


def none(blocks: Iterator[bytes], _threads: int) -> Iterator[bytes]:
    """As it is."""
    return blocks


def zstd(blocks: Iterator[bytes], threads: int) -> Iterator[bytes]:
    """By zstd at its lowest level."""
    with subprocess.Popen(
        ["zstd", "-1", f"-T{threads}", "--quiet", "--stdout"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdin is not None and process.stdout is not None

        def feed(stdin=process.stdin) -> None:
            for block in blocks:
                stdin.write(block)
            stdin.close()

        threading.Thread(target=feed).start()
        while block := process.stdout.read(container_archive.BLOCK):
            yield block


def seconds(work: Callable[[], object]) -> str:
    """How long it takes, or that it is refused."""
    started = time.monotonic()
    try:
        work()
    except (AssertionError, subprocess.CalledProcessError):
        return "refused"
    return f"{time.monotonic() - started:.1f} s"


def main(path: str) -> int:
    """Measure and print."""
    ways: dict[str, Callable] = {"gzip": container_archive.gzipped, "none": none, "zstd": zstd}
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    with tempfile.TemporaryDirectory(dir="/var/tmp") as place:
        for name, way in ways.items():
            archive = Path(place) / f"{name}.tar"
            container_archive.gzipped = way

            def write(archive=archive, name=name) -> None:
                container_archive.main(
                    [
                        str(archive),
                        f"--name={name}:v1",
                        f"--full-name=docker.io/library/{name}:v1",
                        "--architecture=amd64",
                        "--clock=0",
                        f"--file={path}=os.tar",
                    ]
                )

            row = [seconds(write)]
            with engines.docker() as docker:
                row.append(seconds(lambda d=docker, a=archive: d.run("load", "--input", str(a))))
            with engines.registry(port) as host:
                row.append(
                    seconds(
                        lambda a=archive, h=host: subprocess.run(
                            [
                                "skopeo",
                                "copy",
                                "--quiet",
                                "--dest-tls-verify=false",
                                f"oci-archive:{a}",
                                f"docker://{h}/image:v1",
                            ],
                            check=True,
                        )
                    )
                )
            print(
                f"{name:<5} write {row[0]:<8} docker load {row[1]:<8} push {row[2]:<8} "
                f"{archive.stat().st_size >> 20} MiB",
                flush=True,
            )
            archive.unlink()
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
