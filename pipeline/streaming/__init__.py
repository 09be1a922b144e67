"""Predict for events of Kafka topics: each event is logged once, and its prediction is sent at least once.

`kafka_client` is the only module that imports confluent-kafka: `Event`, `KafkaClient` (a consumer and a producer).
`event_values` finds body and identifier of an event; `event_scoring` turns events into predictions, rows of the log
and dead letters, without effects; `dead_letters` has the headers of a dead letter. `partition_claims` claims assigned
partitions in the state database (table `stream_offsets`) and finds where each continues. `stream_consumer` is the
loop: consume, score, log rows with the next offsets in one transaction, send, commit. `stream_stats` holds the counts
and the health that metrics and probes read. `stream_startup` builds all of it from the settings.
"""
