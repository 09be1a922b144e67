"""Keep the line-up equal to the state database: the champion, and the challenger of the trial that takes traffic.

During a trial each poll exchanges counts with the other servers, so that a stop anywhere stops the challenger here.
"""

from __future__ import annotations

import os
import secrets
import socket
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from pipeline import state as store
from pipeline.errors import IntegrityError
from pipeline.serving.canary_facts import canary_settings, pool_traffic
from pipeline.serving.canary_traffic import CanaryTraffic
from pipeline.serving.line_up import Challenger, LineUp
from pipeline.serving.shadow_scorer import ShadowScorer
from pipeline.state import TrialServer, VariantTraffic

if TYPE_CHECKING:
    from pipeline.serving.loaded_model import LoadedModel
    from pipeline.serving.reloader import ModelReloader, PollResult
    from pipeline.state import State, Trial, TrialServerState, UndecidedChange

__all__ = ["LineUpFollower"]

_RETRY_S = 10.0
_WRITE_INTERVAL_S = 1.0
_SEEN_INTERVAL_S = 10.0


def _server_name() -> str:
    return f"{socket.gethostname()[:100]}-{os.getpid()}-{secrets.token_hex(3)}"


@dataclass
class LineUpFollower:
    """Loads what the state database declares for a server; one thread at a time uses it.

    Without a trial it reads the state database only after a decision. A challenger that cannot be loaded is recorded
    and tried again after ten seconds.

    Parameters
    ----------
    state : State
    reloader : ModelReloader
        Loads and verifies models.
    max_shadow_rows : int
        Rows that may wait for the challenger of a live trial.

    Attributes
    ----------
    error : str or None
        Why the last exchange with the other servers failed.
    shadow_error : str or None
        Why the challenger of a live trial is not scored.
    """

    state: State
    reloader: ModelReloader
    max_shadow_rows: int = 1_000
    server: str = field(default_factory=_server_name)
    error: str | None = field(default=None, init=False)
    shadow_error: str | None = field(default=None, init=False)
    _shadow_generation: int | None = field(default=None, init=False)
    _shadow_retry_at: float | None = field(default=None, init=False)
    _generation: int | None = field(default=None, init=False)
    _retry_at: float | None = field(default=None, init=False)
    _written: tuple[tuple[int, int], ...] = field(default=(), init=False)
    _written_at: float = field(default=0.0, init=False)
    _own_state: TrialServer | None = field(default=None, init=False)

    def poll(self, current: LineUp | None, *, is_forced: bool = False) -> tuple[PollResult, LineUp | None]:
        """Return the result for the champion, and the line-up: `current` itself where nothing changed.

        Raises
        ------
        DependencyUnavailable
            When the state database is unavailable.
        """
        result = self.reloader.poll(None if current is None else current.champion, is_forced=is_forced)
        champion = result.loaded_model
        if champion is None:
            self._generation = None
            return result, None
        known = None if current is None else current.challenger
        challenger = self._poll_challenger(champion, known)
        shadow = self._poll_shadow(champion, None if current is None else current.shadow)
        is_same = current is not None and champion is current.champion and shadow is current.shadow
        if is_same and challenger is known:
            return result, current
        return result, LineUp(champion, challenger, shadow)

    def shadow_status(self, line_up: LineUp | None) -> dict[str, Any] | None:
        """Return what the challenger of a live trial scored, or why it is not scored; None without such a trial."""
        if line_up is not None and line_up.shadow is not None:
            return line_up.shadow.status()
        return None if self.shadow_error is None else {"error": self.shadow_error}

    def _poll_shadow(self, champion: LoadedModel, known: ShadowScorer | None) -> ShadowScorer | None:
        """Return what scores the challenger of a live trial; a fault of it is kept in `shadow_error`."""
        if champion.served_by != "production" or self.reloader.stage != "Production":
            self._shadow_generation = None
            return None
        is_due = self._shadow_retry_at is not None and time.monotonic() >= self._shadow_retry_at
        if not is_due and self.reloader.generation == self._shadow_generation:
            return known
        self._shadow_generation, self._shadow_retry_at, self.shadow_error = self.reloader.generation, None, None
        try:
            with self.state.reading() as connection:
                trial = store.live_trial(connection, champion.name)
            if trial is None or trial.champion_digest != champion.digest:
                return None
            if known is not None and known.trial == trial.seq:
                return known
            model = self.reloader.load(trial.challenger, trial.challenger_digest, champion.generation, "production")
            return ShadowScorer(
                champion, model, trial=trial.seq, state=self.state, max_waiting_rows=self.max_shadow_rows
            )
        except Exception as error:  # noqa: BLE001 - the champion serves, and a later poll tries again
            self.shadow_error, self._shadow_retry_at = str(error), time.monotonic() + _RETRY_S
            return None

    def _poll_challenger(self, champion: LoadedModel, known: Challenger | None) -> Challenger | None:
        """Return the challenger; a fault of it never keeps the champion from being served."""
        if champion.served_by != "production" or self.reloader.stage != "Production":
            self._generation = None
            return None
        self.error = None
        challenger = known
        try:
            is_due = self._retry_at is not None and time.monotonic() >= self._retry_at
            if is_due or self.reloader.generation != self._generation:
                challenger = self._read_trial(champion, known)
                self._generation = self.reloader.generation
            if challenger is not None:
                self._exchange(challenger)
        except Exception as error:  # noqa: BLE001 - the champion serves, and the next poll follows
            self.error = str(error)
        return challenger

    def _read_trial(self, champion: LoadedModel, current: Challenger | None) -> Challenger | None:
        self._retry_at = None
        with self.state.reading() as connection:
            trial = store.traffic_trial(connection, champion.name)
            changes = [] if trial is None else store.find_undecided_trials(connection, champion.name)
        if trial is None or trial.champion_digest != champion.digest:
            return None
        try:
            _require_no_changes(trial, changes)
            return self._challenger_of(trial, champion, current)
        except Exception as error:  # noqa: BLE001 - recorded, and the trial is stopped for it
            self._retry_at = time.monotonic() + _RETRY_S
            self._refuse(trial, champion, str(error))
            return None

    def _challenger_of(self, trial: Trial, champion: LoadedModel, current: Challenger | None) -> Challenger:
        if current is not None and (current.trial, current.model.digest) == (trial.seq, trial.challenger_digest):
            model, traffic = replace(current.model, generation=champion.generation), current.traffic
        else:
            loaded = self.reloader.load(trial.challenger, trial.challenger_digest, champion.generation, "production")
            model, traffic = replace(loaded, variant="challenger"), CanaryTraffic(canary_settings(trial))
            if self._written:  # counts that begin again must not replace those before
                self.server, self._written, self._own_state = _server_name(), (), None
        return Challenger(model, trial.seq, trial.step, trial.share, trial.salt, traffic)

    def _refuse(self, trial: Trial, champion: LoadedModel, reason: str) -> None:
        is_new = self._own_state is None or (self._own_state.trial, self._own_state.state) != (trial.seq, "refused")
        self._put_server(trial.seq, "refused", reason)
        if is_new:
            event = store.ServingEvent(
                self.state.clock(),
                champion.name,
                "refused",
                trial.challenger,
                trial.challenger_digest,
                champion.generation,
                f"challenger of trial {trial.seq}: {reason}",
            )
            with self.state.writing() as connection:
                store.add_serving_event(connection, event)

    def _exchange(self, challenger: Challenger) -> None:
        """Read the counts and stops of other servers, and write those of this one if they changed."""
        traffic = challenger.traffic
        with self.state.reading() as connection:
            rows = store.read_variant_traffic(connection, challenger.trial)
            stopped = store.read_trial_servers(connection, challenger.trial, state="stopped")
        traffic.merge_others(pool_traffic(row for row in rows if row.server != self.server))
        if stopped:
            traffic.stop(stopped[0].reason)
        before = self._own_state
        if traffic.stop_reason is None:
            self._put_server(challenger.trial, "serving", "")
        else:
            self._put_server(challenger.trial, "stopped", traffic.stop_reason)
        self._put_counts(challenger, is_urgent=before is not self._own_state)

    def _put_counts(self, challenger: Challenger, *, is_urgent: bool) -> None:
        """Write the counts of this server: at once after an error or a stop, else once a second."""
        own = challenger.traffic.own()
        version = tuple((counts.n_requests, counts.n_errors) for counts in own.values())
        is_urgent = is_urgent or not self._written or version[1][1] != self._written[1][1]
        if version == self._written or not (is_urgent or time.monotonic() - self._written_at >= _WRITE_INTERVAL_S):
            return
        now = self.state.clock()
        with self.state.writing() as connection:
            for variant, counts in own.items():
                store.put_variant_traffic(
                    connection,
                    VariantTraffic(
                        challenger.trial,
                        self.server,
                        variant,
                        counts.n_requests,
                        counts.n_errors,
                        counts.n_predictions,
                        counts.durations,
                        counts.duration_sum_s,
                        now,
                    ),
                )
        self._written, self._written_at = version, time.monotonic()

    def _put_server(self, trial: int, server_state: TrialServerState, reason: str) -> None:
        """Write the state of this server when it changed, and every ten seconds."""
        now, known = self.state.clock(), self._own_state
        is_same = known is not None and (known.trial, known.state, known.reason) == (trial, server_state, reason)
        if known is not None and is_same and now - known.seen_at < _SEEN_INTERVAL_S * 1_000_000:
            return
        has_changed = known is None or (known.trial, known.state) != (trial, server_state)
        changed_at = now if known is None or has_changed else known.changed_at
        own = TrialServer(trial, self.server, server_state, reason, changed_at, now)
        with self.state.writing() as connection:
            store.put_trial_server(connection, own)
        self._own_state = own


def _require_no_changes(trial: Trial, changes: list[UndecidedChange]) -> None:
    if changes:
        listed = "; ".join(map(str, changes))
        raise IntegrityError(f"trial {trial.seq} does not follow from the audit trail: {listed}")
