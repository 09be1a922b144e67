"""The model that a stream predicts with: the version of the registry, and the ones that earlier events got."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from pipeline.errors import DependencyUnavailable, IntegrityError

if TYPE_CHECKING:
    from pipeline.serving.loaded_model import LoadedModel
    from pipeline.serving.reloader import ModelReloader
    from pipeline.state.stream_offsets import StreamPosition

__all__ = ["StreamModels"]

_MAX_EARLIER_MODELS = 2


@dataclass(slots=True)
class StreamModels:
    """Follows the registry between batches, and loads earlier versions for events that are sent again.

    Parameters
    ----------
    reloader : ModelReloader
    poll_interval_s : float
        Least time between two looks at the registry.
    """

    reloader: ModelReloader
    poll_interval_s: float
    reason: str = "the model is not loaded yet"
    _current: LoadedModel | None = None
    _polled_at: float | None = None
    _earlier: dict[tuple[str, str], LoadedModel] = field(default_factory=dict)

    @property
    def current(self) -> LoadedModel | None:
        """The model of the registry; None, with a `reason`, while no version is deployed or can be loaded.

        While the state database is unavailable the model stays.
        """
        now = time.monotonic()
        if self._polled_at is None or now - self._polled_at >= self.poll_interval_s:
            try:
                result = self.reloader.poll(self._current)
            except DependencyUnavailable as error:
                if self._current is None:
                    self.reason = str(error)
            else:
                self._current, self.reason = result.loaded_model, result.detail or result.reason
            self._polled_at = time.monotonic()
        return self._current

    def earlier(self, at: StreamPosition) -> LoadedModel:
        """Return the model of the last transaction of a partition, with the numbers that it had then.

        Raises
        ------
        IntegrityError
            When its package is damaged or missing.
        """
        if at.version is None or at.digest is None or at.generation is None:
            raise IntegrityError(f"{at.topic}/{at.partition_number}: the state database names no model for its events")
        served_by: Any = at.served_by
        current, key = self._current, (at.digest, served_by)
        if current is not None and (current.digest, current.served_by) == key:
            model = current
        else:
            if key not in self._earlier:
                while len(self._earlier) >= _MAX_EARLIER_MODELS:
                    del self._earlier[next(iter(self._earlier))]
                self._earlier[key] = self.reloader.load(at.version, at.digest, at.generation, served_by)
            model = self._earlier[key]
        return replace(model, version=at.version, generation=at.generation)
