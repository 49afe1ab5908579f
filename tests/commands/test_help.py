"""What a command says of itself."""

from __future__ import annotations

import pytest

from connector.cli import COMMANDS, main


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_tells_its_options(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A text that the parser can't format would end in an error of the connector's own."""
    with pytest.raises(SystemExit) as ended:
        main([*command.split(), "--help"])
    assert ended.value.code == 0
    assert f"replenit-connector {command}" in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize("asked", ["--help", "-h", "dead-letters --help"])
def test_the_commands_are_listed(asked: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Also those that begin with the word that was given."""
    assert main(asked.split()) == 0
    told = capsys.readouterr().out
    assert all(command in told for command in COMMANDS)
