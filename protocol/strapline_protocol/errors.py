"""Mistakes of the person at the keyboard, as opposed to ours and the radio peer's."""


class UserError(Exception):
    """A mistake that the user can mend; the message is one line that names the place and the mend.

    The command line prints it on stderr and exits with 2, without a traceback.
    """
