"""Memory between blocks that are in use goes back to the system."""

from __future__ import annotations

import platform
from pathlib import Path

import pytest

from pipeline.serving.heap import release_free_memory

BLOCK_BYTES = 50_000  # the C library maps larger ones, which go back at once
N_BLOCKS = 800


def resident_bytes() -> int:
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return 1024 * int(status.partition("VmRSS:")[2].split()[0])


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries keep no such pages")
def test_free_pages_between_used_blocks_go_back_to_the_system() -> None:
    blocks = [bytes([at % 256]) * BLOCK_BYTES for at in range(N_BLOCKS)]
    del blocks[::2]
    before = resident_bytes()
    assert release_free_memory()
    assert before - resident_bytes() > N_BLOCKS / 2 * BLOCK_BYTES / 2
    assert len({len(block) for block in blocks}) == 1
