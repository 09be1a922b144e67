"""Read and write files that are local or in an object store, by one kind of address."""

from pipeline.storage.storage_path import StorageEntry, StoragePath

__all__ = ["StorageEntry", "StoragePath"]
