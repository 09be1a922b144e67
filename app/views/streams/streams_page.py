"""The streams page: consumers, the lag of each partition, and dead letters, as the consumers reported them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import streamlit as st

from pipeline.production_status.stream_assessment import assess_facts, is_partition_stale, is_silent
from pipeline.text import format_age, format_duration

from ... import html_table, page, queries
from ...page_queries import stream_queries
from ..overview import status_panel

if TYPE_CHECKING:
    from pipeline.state.stream_reports import ConsumerReport, PartitionReport, StreamFacts

__all__ = ["render"]

_REFRESH_S = 15
_STATE_COLORS = {"running": "green", "paused": "orange", "stopped": "gray"}


def render() -> None:
    """Show the page."""
    page.render_page(
        "Streams",
        "Consumers of Kafka topics, their lag and their dead letters.",
        lambda: page.refresh_every(_REFRESH_S, _render_body),
    )


def _render_body() -> None:
    facts = stream_queries.stream_facts(queries.config().name)
    if facts.is_empty:
        page.empty_state("No stream", "set `stream=kafka` in conf/config.yaml, then run `mlops stream`")
        return
    now = page.now_us()
    st.markdown(status_panel.component_markdown(assess_facts(facts, now)))
    _show_totals(facts, now)
    st.subheader("Consumers")
    page.show_table([_consumer_row(consumer, now) for consumer in facts.consumers], caption="Consumers by group")
    st.subheader("Partitions")
    page.show_table([_partition_row(partition, now) for partition in facts.partitions], caption="Lag by partition")
    if any(partition.n_dead for partition in facts.partitions):
        st.caption(
            "After the cause is fixed, `mlops stream replay --dead --since TIME` predicts for dead letters again."
        )


def _show_totals(facts: StreamFacts, now: int) -> None:
    moments = [partition.oldest_event_at for partition in facts.partitions if partition.oldest_event_at is not None]
    totals = {
        "Waiting events": f"{sum(partition.lag for partition in facts.partitions):,}",
        "Oldest waits for": format_duration(now - min(moments)) if moments else "-",
        "Processed": f"{sum(partition.n_processed for partition in facts.partitions):,}",
        "Dead letters": f"{sum(partition.n_dead for partition in facts.partitions):,}",
    }
    for column, (label, value) in zip(st.columns(len(totals)), totals.items(), strict=True):
        column.metric(label, value)


def _consumer_row(consumer: ConsumerReport, now: int) -> dict[str, Any]:
    is_gone = consumer.state != "stopped" and is_silent(consumer.seen_at, now)
    state = html_table.Badge("silent", "red") if is_gone else _state_badge(consumer)
    return {
        "Consumer": consumer.consumer,
        "Group": consumer.group_name,
        "Topic": consumer.topic,
        "State": state,
        "Reason": consumer.reason,
        "Last report": format_age(consumer.seen_at, now),
        "Rebalances": consumer.n_rebalances,
        "Fenced": consumer.n_fenced,
    }


def _state_badge(consumer: ConsumerReport) -> html_table.Badge:
    return html_table.Badge(consumer.state, _STATE_COLORS[consumer.state])


def _partition_row(partition: PartitionReport, now: int) -> dict[str, Any]:
    oldest = partition.oldest_event_at
    lag = f"{partition.lag:,}"
    is_stale = is_partition_stale(partition, now)
    return {
        "Topic": partition.topic,
        "Partition": partition.partition_number,
        "Consumer": partition.consumer,
        "Lag": html_table.Badge(f"{lag}, measured {format_age(partition.measured_at, now)}", "orange")
        if is_stale
        else lag,
        "Oldest waits for": "" if oldest is None else format_duration(now - oldest),
        "Next offset": partition.next_offset,
        "End": partition.end_offset,
        "Processed": f"{partition.n_processed:,}",
        "Dead letters": f"{partition.n_dead:,}",
    }
