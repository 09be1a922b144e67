"""What waits for a person is named with the command that decides it."""

from __future__ import annotations

import pytest

from pipeline import state as store
from pipeline.state import Lease, LoopFacts, LoopRun
from tests.pipeline.state.loop_records import make_retrain, make_trial


@pytest.mark.parametrize(
    ("facts", "sentence", "command"),
    [
        (
            LoopFacts(open_trials=(make_trial(seq=4, proposal="canary"),)),
            "trial 4 proposes a canary of version 2",
            "mlops trial approve 4",
        ),
        (
            LoopFacts(open_trials=(make_trial(seq=4, proposal="promote"),)),
            "trial 4 of version 2 proposes to promote",
            "mlops trial approve 4",
        ),
        (
            LoopFacts(retrains=(make_retrain(seq=3),)),
            "retrain 3 is proposed (degradation)",
            "mlops retrain approve 3",
        ),
        (
            LoopFacts(retrains=(make_retrain(seq=3, state="needs_decision"),)),
            "retrain 3 has a candidate that only a person may approve",
            "mlops retrain show 3",
        ),
    ],
)
def test_a_proposal_waits_with_its_command(facts: LoopFacts, sentence: str, command: str) -> None:
    (waiting,) = facts.waiting
    assert (waiting.sentence, waiting.command) == (sentence, command)


def test_what_no_person_must_decide_does_not_wait() -> None:
    retrains = (make_retrain(state="on_trial"), make_retrain(state="refused"), make_retrain(state="refused"))
    facts = LoopFacts(open_trials=(make_trial(),), retrains=retrains)
    assert facts.waiting == ()
    assert facts.n_retrains_by_state == {"on_trial": 1, "refused": 2}


def test_the_facts_of_a_model_are_read_from_the_database(state: store.State) -> None:
    lease = Lease(store.loop_lease_name("m"), "one", 60)
    with state.writing() as connection:
        assert store.read_loop_facts(connection, "m") == LoopFacts()
        seq = store.add_loop_run(connection, LoopRun("m", 1, "one", (), 2))
        retrain = store.add_retrain(connection, make_retrain())
        store.renew_lease(connection, lease.name, lease.holder, now=0, duration_us=60)
        store.add_loop_run(connection, LoopRun("other", 3, "one", (), 4))
        facts = store.read_loop_facts(connection, "m")
    assert facts == LoopFacts(LoopRun("m", 1, "one", (), 2, seq=seq), (), (retrain,), lease)
    assert [facts.is_running(now) for now in (59, 60)] == [True, False]
