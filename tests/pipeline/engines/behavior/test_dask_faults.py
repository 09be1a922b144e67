"""A cluster without workers, with other versions, without a scheduler or a driver: nothing hangs, nothing runs on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from pipeline.engines import open_engine
from pipeline.errors import DependencyUnavailable
from tests.fixtures.dask_cluster import ADDRESS_ENV, DaskCluster, run_dask_cluster, run_dask_worker
from tests.fixtures.tls_certificates import write_certificates
from tests.fixtures.toy_dataset import ROOT
from tests.pipeline.engines.item_functions import note_and_wait, square, wait_for_files

if TYPE_CHECKING:
    from pathlib import Path

    from pipeline.config.groups.engine_config import DaskEngineConfig

pytestmark = [pytest.mark.xdist_group("clusters"), pytest.mark.usefixtures("starts_processes")]

_DRIVER = """
import sys
from functools import partial
from pathlib import Path
from pipeline.config.config_loader import load_engine
from pipeline.engines import open_engine
from tests.pipeline.engines.item_functions import note_and_wait

with open_engine(load_engine("dask")) as engine:
    print(sorted(engine.map(partial(note_and_wait, Path(sys.argv[1])), range(6))))
"""


def start_driver(folder: Path, **environment: str) -> subprocess.Popen[str]:
    """Start a process that runs six items, which note their process and wait for the file `go`."""
    return subprocess.Popen(
        [sys.executable, "-c", _DRIVER, folder],
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_what_did_not_start_is_dropped_when_the_driver_is_killed(
    dask_config: DaskEngineConfig, dask_cluster: DaskCluster, tmp_path: Path
) -> None:
    driver = start_driver(tmp_path, **{ADDRESS_ENV: dask_cluster.address})
    wait_for_files(tmp_path, "*.pid", n_files=2)
    driver.kill()
    driver.communicate(timeout=20)
    with open_engine(dask_config) as engine:
        results = engine.map(square, range(4))
        (tmp_path / "go").touch()
        assert len(list(results)) == 4
    assert len(list(tmp_path.glob("*.pid"))) == 2


def test_a_cluster_without_workers_or_with_other_versions_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with run_dask_cluster(0) as cluster:
        monkeypatch.setenv(ADDRESS_ENV, cluster.address)
        for n_submitted in (None, 9):
            config = cluster.config(timeout_s=1).model_copy(update={"workers": n_submitted})
            with (
                open_engine(config) as engine,
                pytest.raises(DependencyUnavailable, match="has had no worker for 1 s"),
            ):
                list(engine.map(square, range(4)))
        (tmp_path / "pyarrow-1.0.dist-info").mkdir()
        (tmp_path / "pyarrow-1.0.dist-info/METADATA").write_text("Name: pyarrow\nVersion: 1.0\n", encoding="utf-8")
        with (
            run_dask_worker(cluster, PYTHONPATH=f"{tmp_path}:{ROOT}"),
            open_engine(cluster.config()) as engine,
            pytest.raises(DependencyUnavailable, match=r"has pyarrow 1\.0 instead of \d+\.\d+.* of the driver"),
        ):
            list(engine.map(square, range(4)))


def test_a_lost_scheduler_ends_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with run_dask_cluster(1) as cluster:
        monkeypatch.setenv(ADDRESS_ENV, cluster.address)
        with open_engine(cluster.config(timeout_s=2)) as engine:
            results = engine.map(partial(note_and_wait, tmp_path), range(3))
            kill_when_running(cluster, tmp_path)
            with pytest.raises(DependencyUnavailable, match="the scheduler was lost"):
                list(results)
        (tmp_path / "go").touch()


def kill_when_running(cluster: DaskCluster, folder: Path) -> None:
    """Kill the scheduler, in a thread, when the first item runs."""
    from threading import Thread

    def kill() -> None:
        wait_for_files(folder, "*.pid", n_files=1)
        os.kill(cluster.process.pid, signal.SIGKILL)

    Thread(target=kill, daemon=True).start()


def test_certificates_of_the_environment_secure_the_cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    secured: dict[str, Any] = {
        f"DASK_DISTRIBUTED__COMM__TLS__{name}": str(path) for name, path in write_certificates(tmp_path).items()
    }
    (tmp_path / "go").touch()
    with run_dask_cluster(1, protocol="tls", DASK_DISTRIBUTED__COMM__REQUIRE_ENCRYPTION="true", **secured) as cluster:
        monkeypatch.setenv(ADDRESS_ENV, cluster.address)
        driver = start_driver(tmp_path, **secured)
        printed, errors = driver.communicate(timeout=60)
        assert printed.strip() == str([(number, number) for number in range(6)]), errors
        with (
            pytest.raises(DependencyUnavailable, match="no cluster responds at tls://"),
            open_engine(cluster.config(timeout_s=2)),
        ):
            pass
