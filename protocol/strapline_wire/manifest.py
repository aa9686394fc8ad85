# What is signed of a firmware image, and where things lie in an update's stream: the signed manifest first, then the image.
# It is part of every boot program that was ever shipped, so it never changes: another layout gets another magic.
from strapline_wire.compat import const

MAGIC = b"SLF1"
# Magic, board class (zeros behind it), flags (0), sequence, expiry (Unix time; 0: never), size of the image and its SHA-256.
FORM = ">4s16sIIII32s"
FIELDS = const(68)  # bytes of these; the rest of the manifest is zero, signed, and for later
MANIFEST = const(308)
SIGNATURE = const(2508)  # RFC 8554, LMS_SHA256_M32_H10 with LMOTS_SHA256_N32_W4
HEAD = const(2816)  # both: eleven pages, so that the image begins on a page of its own
PAGE = const(256)  # an update travels and is written in pages of the stream; the last one may be shorter
KEY = const(56)  # of a public key: RFC 8554, section 5.3

# Refusals, as in the protocol's codes. The boot program knows these and nothing else of the protocol.
MALFORMED = const(2)
TOO_LONG = const(5)
OLD_REVISION = const(6)
UNSIGNED = const(16)
WRONG_BOARD = const(17)
