"""Keeps a Replenit tenant in step with a shop's database, from Debezium's changes in Kafka."""

__version__ = "0.1.0"
