"""What a test lacks on this machine."""


class UnavailableError(Exception):
    """Something that a test needs can't be had here; the message says what and why, in one line."""
