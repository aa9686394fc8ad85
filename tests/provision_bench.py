"""What a test of `strapline provision` has before it: a board's flash, two key files, and the command in their folder."""

from strapline_hil.provisioning import Request, provision
from strapline_protocol.command import main
from strapline_protocol.keyring import read_centre_keys, read_gateway_keys
from strapline_protocol.keys import centre_keys, gateway_keys
from strapline_tag import storage

TAG, OTHER_TAG = "7a900001", "7a900002"
SECRET, MEMORY = storage.SECRET, storage.MEMORY
REQUESTS = 10
"""How often a board is asked with --replace, which does not look first whether there is a secret."""


class ProvisionBench:
    """A folder with a board's flash and two key files, as the command is used in it."""

    def __init__(self, folder, capfd):
        self.folder = folder
        self.flash = folder / "board"
        self.flash.mkdir()
        self.gateway_file, self.centre_file = folder / "gateway-keys.json", folder / "centre-keys.json"
        self._capfd = capfd

    def strapline(self, *arguments):
        """(exit status, stdout, stderr) of the command in this folder, in this process."""
        try:
            main(["provision", *arguments])
        except SystemExit as left:
            status = left.code
        return (status or 0, *self._capfd.readouterr())

    def refusal(self, *arguments):
        """The one line of a refusal with status 2."""
        status, out, err = self.strapline(*arguments)
        assert (status, out, err.count("\n")) == (2, "", 1), (status, out, err)
        assert err.startswith("strapline: ")
        return err

    def provision(self, tag=TAG, *, board="", **options):
        return provision(Request(tag, board or f"file:{self.flash}", self.gateway_file, self.centre_file, **options))

    @property
    def secret(self):
        return (self.flash / SECRET).read_bytes()

    @property
    def gateway(self):
        return {keys.tag: keys for keys in read_gateway_keys(self.gateway_file)}

    @property
    def centre(self):
        return {keys.tag: keys for keys in read_centre_keys(self.centre_file)}

    @property
    def state(self):
        """All there is, to the byte."""
        return {path: path.read_bytes() for path in self.folder.rglob("*") if path.is_file()}

    @property
    def names(self):
        return sorted(path.name for path in self.folder.rglob("*") if path.is_file())

    def agrees(self, tag=TAG):
        """The files hold what follows from the board's secret, and nothing is left lying about."""
        assert self.gateway[tag] == gateway_keys(tag, self.secret)
        assert self.centre[tag] == centre_keys(tag, self.secret)
        assert self.names == ["centre-keys.json", "gateway-keys.json", SECRET]


def in_service(bench):
    """A tag that is worn, and another of the same gateway and centre; gives its secret."""
    bench.provision(OTHER_TAG)
    bench.provision(TAG, replace=True)
    (bench.flash / MEMORY).write_bytes(b"counters")
    return bench.secret
