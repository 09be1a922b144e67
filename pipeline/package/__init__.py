"""The model package: a folder named by its content, from which serving needs nothing else."""

from pipeline.package.bins import Bins
from pipeline.package.golden import GOLDEN_TOLERANCE
from pipeline.package.loading import Package, load_package
from pipeline.package.manifest import FileEntry, Manifest, OnnxProof
from pipeline.package.reference import Reference
from pipeline.package.store import PackageStore
from pipeline.package.writing import write_package

__all__ = [
    "GOLDEN_TOLERANCE",
    "Bins",
    "FileEntry",
    "Manifest",
    "OnnxProof",
    "Package",
    "PackageStore",
    "Reference",
    "load_package",
    "write_package",
]
