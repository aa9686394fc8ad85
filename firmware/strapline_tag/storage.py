# The names of what a tag keeps in its file system, relative to the folder it starts in. No code that reads or writes them.
#
# Never an old secret without its memory: counters would begin anew under keys that have used them. So the secret goes first and
# comes last, and whoever finds no SECRET of 16 bytes is no tag yet and sends nothing.
SECRET = "strapline_secret"  # noqa: S105 - a name; inside are 16 bytes, and nothing else
SECRET_WRITTEN = "strapline_secret.new"  # noqa: S105 - one that nobody has read back yet; no tag reads it
MEMORY = "strapline_memory"  # the integers that outlive a reboot; absent means an empty one, under a secret never used
SETTINGS = "strapline_settings"  # JSON of a deployment: "config" (names of config.py), "apn", "host", "port"; absent means the defaults
CRASH = "strapline_crash"  # the last traceback of a program that ended
