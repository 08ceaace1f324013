"""What Linux says of processes in /proc: CPU time and memory."""

import os
from pathlib import Path

PROC = Path("/proc")
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


def cpu_s(pid: int) -> float:
    """User and system time of a process with all its threads, also those that have ended."""
    user, system, *_ = _stat(pid)[11:13]
    return (int(user) + int(system)) / _TICKS_PER_S


def family_cpu_s(pid: int) -> float:
    """The same of a process and its children, also those that have ended and were waited for."""
    times = _stat(pid)[11:15]
    own = sum(int(ticks) for ticks in times) / _TICKS_PER_S
    return own + sum(_exact_cpu_s(child) for child in children(pid))


def children(pid: int) -> list[int]:
    text = (PROC / str(pid) / "task" / str(pid) / "children").read_text()
    return [int(child) for child in text.split()]


def parent(pid: int) -> int:
    return int(_stat(pid)[1])


def name(pid: int) -> str:
    return (PROC / str(pid) / "comm").read_text().strip()


def memory_kib(pid: int) -> int:
    """The memory of a process that is its own share (PSS)."""
    for line in (PROC / str(pid) / "smaps_rollup").read_text().splitlines():
        label, *words = line.split()
        if label == "Pss:":
            return int(words[0])
    raise OSError("the kernel tells no Pss")


def _exact_cpu_s(pid: int) -> float:
    """CPU time of a process of one thread, in nanoseconds where the kernel counts them."""
    try:
        return int((PROC / str(pid) / "schedstat").read_text().split()[0]) / 1e9
    except FileNotFoundError:
        return cpu_s(pid) if (PROC / str(pid)).exists() else 0.0


def _stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat from the third one on; the second may hold spaces."""
    return (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
