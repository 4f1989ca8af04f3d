"""The claim that FTRL needs fewer samples than Adam, from the study of optimizers, which has no runs."""

from __future__ import annotations

from experiments.claim_values.evidence import Evidence
from experiments.claim_values.outcome import Missing, Outcome, over_seeds
from experiments.statistics import ratio


def adam_over_ftrl(evidence: Evidence) -> Outcome:
    """Error of Adam over that of FTRL with few samples."""
    results = evidence.studies / "ftrl.csv"
    if not results.exists():
        return Missing(f"{results}: python -m experiments.studies.ftrl")
    import pandas as pd

    from experiments.studies.ftrl_figure import FEW, adam_and_ftrl

    note = f"{FEW} samples, the authors' set-up, each optimizer at the best of its learning rates"
    try:
        errors = adam_and_ftrl(pd.read_csv(results))
    except (ValueError, KeyError):  # pandas' own errors are ValueErrors
        return Missing(f"{results} is damaged: python -m experiments.studies.ftrl")
    return over_seeds([errors], ratio, note)
