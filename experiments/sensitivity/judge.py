"""Every headline claim under every condition, from the finished runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from experiments.arms import Arm, arms, settings_text
from experiments.claim_values.outcome import Missing, Refuted
from experiments.claims import Claim, read_catalogue
from experiments.results import Run
from experiments.sensitivity.arms import overrides
from experiments.sensitivity.conditions import CONDITIONS, Condition
from experiments.sensitivity.headlines import HEADLINES, Headline, Outcome, Player
from experiments.settings import compose_settings
from experiments.statistics import Estimate
from experiments.sweep_commands import Overrides, key_of
from experiments.verdict import verdict

NOT_COMPUTABLE = "not computable"
VERDICTS = ("reproduced", "partly", "not reproduced", NOT_COMPUTABLE)
MINIMUM_SEEDS = 2
COLUMN = ["comparison", "where", "settings"]
"""What tells claims apart."""

_NO_NUMBER = (">0", "%")  # what is asked where the paper gives no number: any reduction


def judge(runs: Sequence[Run], also: Overrides = ()) -> pd.DataFrame:
    """One row for each claim and each condition that can change it.

    Args:
        runs: of the study; those that no claim asks for are passed over.
        also: overrides that the runs of the study were made with.

    Returns:
        Columns: choice, condition, comparison, where, settings, claim (of the catalogue, empty where the
        paper gives no number), paper_value, unit, value, low, high (95 % interval), seeds, verdict (one of
        ``VERDICTS``), reason (without a value: why).
    """
    study = _Study({arm.text: arm for arm in arms(runs)}, also)
    catalogue = {claim.id: claim for claim in read_catalogue()}
    rows = []
    for condition in CONDITIONS:
        for headline in HEADLINES:
            if headline.judged_under(condition):
                outcome = study.outcome(headline, condition)
                rows.append(_labels(headline, condition) | _judged(catalogue.get(headline.claim), outcome))
    return pd.DataFrame(rows)


class _Study:
    """The study's arms, and the numbers read from their runs, each once."""

    def __init__(self, by_settings: dict[str, Arm], also: Overrides) -> None:
        self._by_settings = by_settings
        self._also = also
        self._read: dict[tuple[str, Path], float] = {}

    def outcome(self, headline: Headline, condition: Condition) -> Outcome:
        ours, others = (self._numbers(headline, one, condition) for one in (headline.ours, headline.other))
        seeds = sorted(ours.keys() & others.keys())
        if not seeds:
            return Missing("no finished runs: python -m experiments.sensitivity.sweep")
        if len(seeds) < MINIMUM_SEEDS:
            return Missing(f"{len(seeds)} seed, an interval needs {MINIMUM_SEEDS}: seeds=2 or more")
        pairs: NDArray[np.float64] = np.array([(ours[seed], others[seed]) for seed in seeds])
        return Missing("runs without a number") if np.isnan(pairs).any() else headline.compare(pairs)

    def _numbers(self, headline: Headline, player: Player, condition: Condition) -> dict[int, float]:
        text = _settings(overrides(headline.world, player, condition, self._also))
        arm = self._by_settings.get(text)
        return {seed: self._number(headline, run) for seed, run in arm.runs.items()} if arm else {}

    def _number(self, headline: Headline, run: Run) -> float:
        key = headline.metric.__name__, run.folder
        if key not in self._read:
            self._read[key] = headline.metric(run)
        return self._read[key]


@cache
def _settings(given: Overrides) -> str:
    """What the runs of an arm were told; its agent is composed apart, since most arms share one of both."""
    of_agent = tuple(one for one in given if key_of(one).startswith("agent"))
    rest = tuple(one for one in given if one not in of_agent)
    return settings_text(_composed(rest) | {"agent": _composed(of_agent)["agent"]})


@cache
def _composed(given: Overrides) -> dict[str, Any]:
    return compose_settings(given)


def _labels(headline: Headline, condition: Condition) -> dict[str, str]:
    return {
        "choice": condition.choice,
        "condition": condition.name,
        "comparison": headline.heading,
        "where": headline.name,
        "settings": headline.settings,
        "claim": headline.claim,
    }


def _judged(claim: Claim | None, outcome: Outcome) -> dict[str, Any]:
    paper_value, unit = (claim.paper_value, claim.unit) if claim else _NO_NUMBER
    asked = {"paper_value": paper_value, "unit": unit, "value": np.nan, "low": np.nan, "high": np.nan}
    if isinstance(outcome, Estimate):
        numbers = {"value": outcome.value, "low": outcome.low, "high": outcome.high, "seeds": outcome.seeds}
        said = verdict(paper_value, unit, outcome.value, outcome.low, outcome.high)
        return asked | numbers | {"verdict": said, "reason": outcome.note}
    if isinstance(outcome, Refuted):
        return asked | {"seeds": outcome.seeds, "verdict": "not reproduced", "reason": outcome.reason}
    return asked | {"seeds": 0, "verdict": NOT_COMPUTABLE, "reason": outcome.reason}


@dataclass(frozen=True)
class Count:
    """How a claim fares over conditions.

    Attributes:
        reproduced: in how many it is.
        partly: in how many the sign is right, and no effect is excluded, but the number is another.
        judged: how many could be computed.
        conditions: how many there are.
    """

    reproduced: int
    partly: int
    judged: int
    conditions: int

    @staticmethod
    def of(rows: pd.DataFrame) -> Count:
        """Of one claim's rows."""
        said = rows["verdict"]
        reproduced, partly = (int((said == name).sum()) for name in VERDICTS[:2])
        return Count(reproduced, partly, int((said != NOT_COMPUTABLE).sum()), len(rows))

    def __str__(self) -> str:
        left = self.conditions - self.judged
        return f"holds in {self.reproduced} of {self.judged} conditions, in part in {self.partly}" + (
            f" ({left} not computable)" if left else ""
        )


def summary(table: pd.DataFrame) -> list[str]:
    """A line for each claim: in how many conditions it holds, and in how many hardware profiles."""
    lines = []
    for (comparison, where, settings), rows in table.groupby(COLUMN, sort=False):
        hardware = rows[rows["choice"].isin(["", "hardware profile"])]
        profiles = Count.of(hardware)
        of_them = f"; in {profiles.reproduced} of {profiles.judged} hardware profiles"
        lines.append(
            f"{comparison}, {where} ({settings}): {Count.of(rows)}{of_them if len(hardware) > 1 else ''}"
        )
    return lines
