"""The model package: a folder, named by its content, that is all a server needs."""

from pipeline.package.bins import Bins
from pipeline.package.golden_check import GOLDEN_TOLERANCE
from pipeline.package.loader import Package, load_package
from pipeline.package.manifest import FileEntry, Manifest, OnnxProof
from pipeline.package.package_store import PackageStore
from pipeline.package.reference import Reference
from pipeline.package.writer import write_package

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
