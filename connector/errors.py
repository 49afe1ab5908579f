"""Failures, by who is at fault: the configuration, the platform. Bad records and refusals are values instead."""


class ConnectorError(Exception):
    """What ends a command with a message and an exit status of sysexits.h."""

    exit_status = 70


class Stopped(Exception):  # noqa: N818 (it is no error)
    """A stop was asked for before the service had begun."""


class ConfigurationError(ConnectorError):
    """The settings are wrong. `problems` lists every mistake, each with its remedy; none of them shows a secret."""

    exit_status = 78

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class PlatformError(ConnectorError):
    """Kafka, the disk or the network does not do what the connector can't do without."""

    exit_status = 69
