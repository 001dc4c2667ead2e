"""The one exception a user should ever see, and what may become one."""


class TaaeError(Exception):
    """Bad input, told to a person: what is wrong, where, and what to do about it.

    The command line prints the message without a traceback and exits with status 1.
    """


class NotInstalled(Exception):
    """An optional program, package or set of weights is missing; the message says which."""
