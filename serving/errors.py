"""The one exception a user's mistake raises."""


class UsageError(ValueError):
    """Bad input from a user: one line that names the key, the value and what is allowed.

    Command-line programs print the line and exit with code 2, without a traceback.
    """
