"""A worker's task: the homes of one shard, each from its own life."""

from strapline_protocol.errors import UserError
from strapline_simulator.fleet.home import run_home
from strapline_simulator.fleet.life import home_spec
from strapline_simulator.fleet.question import Household, Question, Shard, code_fingerprint, data_fingerprint
from strapline_simulator.fleet.spec import HomeResult, HomeSpec
from strapline_simulator.fleet.truth import judge


def spec_of(question: Question, home: Household) -> HomeSpec:
    """The home as the question has it."""
    return home_spec(
        home.number,
        question.seed,
        question.start_utc,
        question.hours,
        profile=home.profile,
        tags=home.tags,
        zone=question.zone,
        tampers=question.tampers,
        fold=question.fold,
    )


def run_shard(question: Question, shard: Shard) -> list[HomeResult]:
    """In the order of the homes. Raises `UserError` where this worker has other recordings than whoever asked."""
    if code_fingerprint() != question.code:
        raise UserError(
            "a worker has another version of this package than the one who asks; install the same everywhere"
        )
    if data_fingerprint() != question.data:
        raise UserError(
            "a worker has other recordings than the one who asks; set STRAPLINE_DATA to the same folder for all of them, or for none"
        )
    return [_live(spec_of(question, home)) for home in shard.homes]


def _live(spec: HomeSpec) -> HomeResult:
    return judge(spec, run_home(spec))
